/** A slider for every number of the code, and what the image does as one of them changes. */

import { dimension } from "../chart";
import { button, card, digits, el, pen } from "../dom";
import type { Seat } from "../state";
import { settled } from "../topic";

/** Sliders shown at first. */
const FIRST = 12;
/** Rows and columns of the grid. */
const ROWS = 8;
const COLUMNS = 9;
/** How far a slider and the grid go, in standard deviations of the codes. */
const FAR = 3;

export function dimensions(seat: Seat): HTMLElement {
  const { model } = seat;
  const list = el("div", { class: "sliders" });
  const sliders = new Map<number, { input: HTMLInputElement; value: HTMLElement }>();
  const add = (i: number): void => {
    const value = el("output", {});
    const reach = FAR * Math.max(model.spread[i] as number, 1e-3);
    const middle = model.mean[i] as number;
    const input = el("input", {
      type: "range",
      min: middle - reach,
      max: middle + reach,
      step: reach / 200,
      "aria-label": `Number ${i + 1} of the code`,
    });
    input.addEventListener("input", () => {
      const z = seat.rest.slice();
      z[i] = Number(input.value);
      seat.restAt(model.tamed(z));
    });
    const nats = model.header.nats?.[i];
    const carries = nats === undefined ? `σ ${digits(model.spread[i] as number)}` : `${digits(nats)} nats`;
    const dead = model.dead(i);
    list.append(
      el(
        "label",
        {
          class: dead ? "dead" : "",
          title: dead ? "Says nothing about the example" : "How much this number says about the example",
        },
        el("span", {}, dimension(i)),
        input,
        value,
        el("small", {}, dead ? "dead" : carries),
      ),
    );
    sliders.set(i, { input, value });
  };
  const more = button(`All ${model.d} numbers`, "Shows a slider for each", () => {
    for (const i of model.order.slice(FIRST)) add(i);
    more.hidden = true;
    show();
  });
  const grid = el("canvas", { class: "row picture", role: "img", "aria-label": "A row for each number of the code" });
  const names = el("div", { class: "names" });
  const show = (): void => {
    for (const [i, { input, value }] of sliders) {
      const now = seat.rest[i] as number;
      if (Number(input.value) !== now) input.value = String(now);
      value.textContent = digits(now);
    }
    traverse();
  };
  const traverse = settled(() => drawGrid(seat, grid, names), 60);
  for (const i of model.order.slice(0, FIRST)) add(i);
  more.hidden = model.d <= FIRST;
  seat.moved.on(show);
  show();
  const by = model.header.nats ? "those first that say most (KL to the prior, mean over the examples)" : "those first that spread most";
  return card(
    "One number at a time",
    `The code at rest, a slider for each of its numbers, ${by}. In the grid a row changes one number by up to ${FAR} standard deviations of the codes and leaves the others.`,
    el(
      "div",
      { class: "acts" },
      button("Begin at the mean", "The mean of all codes", () => seat.restAt(seat.start())),
      button("A random code", "One of those that the samples come from", () =>
        seat.restAt(model.sample(Math.floor(Math.random() * 256))),
      ),
    ),
    list,
    more,
    el("div", { class: "wide traversal" }, names, grid),
  );
}

function drawGrid({ model, painter, rest }: Seat, grid: HTMLCanvasElement, names: HTMLElement): void {
  const rows = model.order.slice(0, ROWS);
  grid.width = COLUMNS * (painter.width + 1) - 1;
  grid.height = rows.length * (painter.height + 1) - 1;
  const context = pen(grid);
  rows.forEach((i, row) => {
    for (let column = 0; column < COLUMNS; column++) {
      const z = rest.slice();
      const offset = (2 * column) / (COLUMNS - 1) - 1;
      z[i] = (model.mean[i] as number) + FAR * offset * (model.spread[i] as number);
      const image = model.decode(model.tamed(z));
      if (image) painter.paint(context, image, column * (painter.width + 1), row * (painter.height + 1));
    }
  });
  names.replaceChildren(...rows.map((i) => el("span", {}, dimension(i))));
}
