/** The examples inside of the lasso: how many of which class, and what they look like. */

import { button, card, count, el } from "../dom";
import { type State, UNLABELLED } from "../state";

const MOST = 96;
const SHOWN = 42;

export function selection(state: State): HTMLElement {
  const says = el("p", { class: "says", role: "status" });
  const bars = el("div", { class: "bars" });
  const pictures = el("div", { class: "pictures" });
  const clear = button("Clear", "Lets the selection go", () => state.select([]));
  const show = (): void => {
    const { selected, examples } = state;
    clear.hidden = !selected.length;
    says.textContent = selected.length
      ? `${count(selected.length)} of ${count(examples.shown)} examples` +
        (selected.length > MOST ? `; the first ${MOST} are shown.` : ".")
      : "Take the lasso and draw around some points: their originals and classes stand here.";
    bars.replaceChildren(...classBars(state));
    pictures.replaceChildren(
      ...selected.slice(0, MOST).map((which) => state.sheet.canvas(which, state.className(which) || `example ${which}`, SHOWN)),
    );
  };
  state.chosen.on(show);
  show();
  return card("Selected examples", "", says, clear, bars, pictures);
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
