/** The class for which a conditional model decodes, and the current code decoded for every class. */

import { card, context2d, el, radioGroup } from "../dom";
import type { ModelState, State } from "../state";

export function classes(state: State, modelState: ModelState): HTMLElement {
  const { model, painter } = modelState;
  const names = state.examples.classes;
  const row = el("canvas", { class: "row picture", role: "img", "aria-label": "The current code decoded for every class" });
  const show = (): void => {
    const images = names.map((_, label) => model.decode(modelState.current, label)?.slice());
    painter.row(
      context2d(row),
      images.filter((image) => image !== undefined),
    );
  };
  modelState.codeChanged.on(show);
  show();
  return card(
    "Class",
    "The decoder of this conditional model receives a class in addition to the code. Below: the current code decoded for every class.",
    radioGroup(
      "Class",
      names.map((name, label) => [String(label), name, `Decode for the class ${name}`] as const),
      String(model.label),
      (value) => {
        model.label = Number(value);
        modelState.codeChanged.emit();
      },
    ),
    el("div", { class: "scroll" }, row),
  );
}
