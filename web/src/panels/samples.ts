/** Random codes, decoded. */

import { button, card, el, pen } from "../dom";
import type { Seat } from "../state";

const SHOWN = 24;
const COLUMNS = 8;

export function samples(seat: Seat): HTMLElement {
  const { model, painter } = seat;
  const grid = el("canvas", { class: "row picture", role: "img", "aria-label": `Random codes decoded by ${model.header.name}` });
  let from = 0;
  const show = (): void => {
    grid.width = COLUMNS * (painter.width + 1) - 1;
    grid.height = Math.ceil(SHOWN / COLUMNS) * (painter.height + 1) - 1;
    const context = pen(grid);
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
    seat.restAt(model.sample(from + row * COLUMNS + column));
  });
  const others = button("Draw others", "Decodes other random codes", () => {
    from += SHOWN;
    show();
  });
  if (model.conditional) seat.moved.on(show);
  show();
  return card(
    "Random codes",
    `Drawn from ${model.header.samples.how}; click one to put the code at rest there.`,
    el("div", { class: "wide" }, grid),
    el("div", { class: "acts" }, others),
  );
}
