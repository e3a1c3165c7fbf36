/** The codebook entries of a discrete code, each of which can be changed. */

import { card, context2d, el } from "../dom";
import type { Codebook } from "../model";
import type { ModelState } from "../state";

/** Alternatives shown for one group. */
const MAX_ALTERNATIVES = 24;

export function codebook(modelState: ModelState, book: Codebook): HTMLElement {
  const { model, painter } = modelState;
  const columns = book.positions > 1 ? (model.header.code_shape.at(-1) as number) : Math.min(16, book.groups);
  let indices = book.indicesOf(0);
  let group = 0;
  const grid = el("div", { class: "codebook", role: "group", "aria-label": "Codebook entries of the current code" });
  grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  const alternatives = el("div", { class: "pictures" });
  const note = el("p", { class: "note" });
  const replaced = (entry: number): number[] => indices.map((old, k) => (k === group ? entry : old));
  const show = (): void => {
    grid.replaceChildren(
      ...indices.map((entry, k) => {
        const cell = el("button", { type: "button", title: `Group ${k + 1}: entry ${entry}`, "aria-pressed": String(k === group) }, String(entry));
        cell.addEventListener("click", () => {
          group = k;
          show();
        });
        return cell;
      }),
    );
    note.textContent = `Group ${group + 1} has entry ${indices[group]} of ${book.entries}. The image with other entries in this group:`;
    const step = Math.max(1, Math.floor(book.entries / MAX_ALTERNATIVES));
    alternatives.replaceChildren(
      ...Array.from({ length: Math.min(MAX_ALTERNATIVES, book.entries) }, (_, k) => {
        const entry = (k * step) % book.entries;
        const picture = painter.canvas(`entry ${entry}`, 46);
        const image = model.decode(book.codeOf(replaced(entry)));
        if (image) painter.paint(context2d(picture), image);
        const button = el("button", { type: "button", class: "plain", title: `Entry ${entry}` }, picture);
        button.addEventListener("click", () => {
          indices = replaced(entry);
          modelState.setCode(book.codeOf(indices));
          show();
        });
        return button;
      }),
    );
  };
  // A pin or another example has its own indices.
  modelState.codeChanged.on(() => {
    const { which, distance } = model.nearest(modelState.current);
    if (distance < 1e-4 && same(book.code(which), modelState.current)) {
      indices = book.indicesOf(which);
      show();
    }
  });
  show();
  return card(
    "Codebook entries",
    `A code has ${book.groups} groups; each is one of ${book.entries} entries of ${book.books > 1 ? `one of ${book.books} codebooks` : "the codebook"}. Click a group, then an entry.`,
    grid,
    note,
    alternatives,
  );
}

function same(a: Float32Array, b: Float32Array): boolean {
  return a.every((value, k) => Math.abs(value - (b[k] as number)) < 1e-4);
}
