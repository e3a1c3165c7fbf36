/** The entries that a discrete code is made of: click one to change it. */

import { card, el, pen } from "../dom";
import type { Book } from "../model";
import type { Seat } from "../state";

/** Other entries that are tried in one place. */
const TRIED = 24;

export function entries(seat: Seat, book: Book): HTMLElement {
  const { model, painter } = seat;
  const columns = book.places > 1 ? (model.header.shape.at(-1) as number) : Math.min(16, book.groups);
  let now = book.entriesOf(0);
  let group = 0;
  const grid = el("div", { class: "entries", role: "group", "aria-label": "Entries of the code" });
  grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  const tries = el("div", { class: "pictures" });
  const says = el("p", { class: "says" });
  const put = (entry: number): void => {
    now = now.map((old, k) => (k === group ? entry : old));
    seat.restAt(book.codeOf(now));
  };
  const show = (): void => {
    grid.replaceChildren(
      ...now.map((entry, k) => {
        const cell = el("button", { type: "button", title: `Group ${k + 1}: entry ${entry}`, "aria-pressed": String(k === group) }, String(entry));
        cell.addEventListener("click", () => {
          group = k;
          show();
        });
        return cell;
      }),
    );
    says.textContent = `Group ${group + 1} holds entry ${now[group]} of ${book.entries}. Some others in its place:`;
    const step = Math.max(1, Math.floor(book.entries / TRIED));
    tries.replaceChildren(
      ...Array.from({ length: Math.min(TRIED, book.entries) }, (_, k) => {
        const entry = (k * step) % book.entries;
        const picture = painter.canvas(`entry ${entry}`, 46);
        const image = model.decode(book.codeOf(now.map((old, at) => (at === group ? entry : old))));
        if (image) painter.paint(pen(picture), image);
        const pick = el("button", { type: "button", class: "bare", title: `Entry ${entry}` }, picture);
        pick.addEventListener("click", () => {
          put(entry);
          show();
        });
        return pick;
      }),
    );
  };
  // A pin or another example brings its own entries.
  seat.moved.on(() => {
    const { which, distance } = model.nearest(seat.rest);
    if (distance < 1e-4 && same(book.code(which), seat.rest)) {
      now = book.entriesOf(which);
      show();
    }
  });
  show();
  return card(
    "Entries of the code",
    `A code is ${book.groups} groups, each one of ${book.entries} entries of the book. Click a group, then an entry.`,
    grid,
    says,
    tries,
  );
}

function same(a: Float32Array, b: Float32Array): boolean {
  return a.every((value, k) => Math.abs(value - (b[k] as number)) < 1e-4);
}
