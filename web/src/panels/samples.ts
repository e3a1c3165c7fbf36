/** Decoded images of random codes. */

import { button, card, context2d, el } from "../dom";
import type { ModelState } from "../state";

const SHOWN = 24;
const COLUMNS = 8;

export function samples(modelState: ModelState): HTMLElement {
  const { model, painter } = modelState;
  const grid = el("canvas", { class: "row picture", role: "img", "aria-label": `Random codes decoded by ${model.header.name}` });
  let from = 0;
  const show = (): void => {
    grid.width = COLUMNS * (painter.width + 1) - 1;
    grid.height = Math.ceil(SHOWN / COLUMNS) * (painter.height + 1) - 1;
    const context = context2d(grid);
    for (let k = 0; k < SHOWN; k++) {
      const image = model.decode(model.sample(from + k), undefined, from + k);
      const [column, row] = [k % COLUMNS, Math.floor(k / COLUMNS)];
      if (image) painter.paint(context, image, column * (painter.width + 1), row * (painter.height + 1));
    }
  };
  grid.addEventListener("click", (event) => {
    const box = grid.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * COLUMNS);
    const row = Math.floor(((event.clientY - box.top) / box.height) * Math.ceil(SHOWN / COLUMNS));
    modelState.setCode(model.sample(from + row * COLUMNS + column));
  });
  const others = button("Draw others", "Decode other random codes", () => {
    from += SHOWN;
    show();
  });
  if (model.conditional) modelState.codeChanged.on(show);
  show();
  return card(
    "Samples from random codes",
    `Codes are drawn from ${model.header.samples.source}. Click an image to make its code the current one.`,
    el("div", { class: "scroll" }, grid),
    el("div", { class: "actions" }, others),
  );
}
