/** The examples inside the lasso: their classes and their images. */

import { button, card, count, el } from "../dom";
import { type State, UNLABELLED } from "../state";

const MAX_IMAGES = 96;
const SHOWN = 42;

export function selection(state: State): HTMLElement {
  const note = el("p", { class: "note", role: "status" });
  const bars = el("div", { class: "bars" });
  const images = el("div", { class: "pictures" });
  const clear = button("Clear", "Clear the selection", () => state.select([]));
  const show = (): void => {
    const { selected, examples } = state;
    clear.hidden = !selected.length;
    note.textContent = selected.length
      ? `${count(selected.length)} of ${count(examples.count)} examples` +
        (selected.length > MAX_IMAGES ? `; the first ${MAX_IMAGES} are shown.` : ".")
      : "Choose the tool “lasso” and draw around points to see their images and classes here.";
    bars.replaceChildren(...classBars(state));
    images.replaceChildren(
      ...selected.slice(0, MAX_IMAGES).map((which) => state.sprites.canvas(which, state.className(which) || `example ${which}`, SHOWN)),
    );
  };
  state.selectionChanged.on(show);
  show();
  return card("Selected examples", "", note, clear, bars, images);
}

/** A bar for each class in the selection, the most frequent first. */
function classBars({ selected, labels, examples }: State): HTMLElement[] {
  if (!labels || !selected.length) return [];
  const counts = new Map<number, number>();
  for (const which of selected) {
    const label = labels[which] as number;
    if (label !== UNLABELLED) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  return [...counts]
    .sort(([a, m], [b, n]) => n - m || a - b)
    .map(([label, of]) => {
      const bar = el("i", {});
      bar.style.width = `${(100 * of) / most}%`;
      bar.style.background = examples.colours[label] ?? "";
      return el("div", {}, el("span", {}, examples.classes[label] ?? ""), el("span", { class: "rail" }, bar), el("span", {}, count(of)));
    });
}
