/** The class that a conditional model is told, and one style in all classes. */

import { card, choice, el, pen } from "../dom";
import type { Seat, State } from "../state";

export function labels(state: State, seat: Seat): HTMLElement {
  const { model, painter } = seat;
  const classes = state.examples.classes;
  const row = el("canvas", { class: "row picture", role: "img", "aria-label": "The code at rest in every class" });
  const show = (): void => {
    const images = classes.map((_, label) => model.decode(seat.rest, label)?.slice());
    painter.row(
      pen(row),
      images.filter((image) => image !== undefined),
    );
  };
  seat.moved.on(show);
  show();
  return card(
    "Class asked for",
    "The model is told a class beside the code. Below: the code at rest in every class, one style in each.",
    choice(
      "Class",
      classes.map((name, label) => [String(label), name, `Images of the class ${name}`] as const),
      String(model.label),
      (value) => {
        model.label = Number(value);
        seat.moved.say();
      },
    ),
    el("div", { class: "wide" }, row),
  );
}
