/** A slider for each latent dimension, and a latent traversal. */

import { dimension } from "../chart";
import { button, card, context2d, el, fixed } from "../dom";
import type { Model } from "../model";
import { debounce } from "../signal";
import type { ModelState } from "../state";

/** Sliders shown at first. */
const FIRST = 12;
/** The size of the traversal. */
const ROWS = 8;
const COLUMNS = 9;
/** The range of a slider and of the traversal, in standard deviations of the codes. */
const RANGE = 3;

export function dimensions(modelState: ModelState): HTMLElement {
  const { model } = modelState;
  const list = el("div", { class: "sliders" });
  const sliders = new Map<number, { input: HTMLInputElement; value: HTMLElement }>();
  const add = (i: number): void => {
    const value = el("output", {});
    const range = RANGE * Math.max(model.std[i] as number, 1e-3);
    const middle = model.mean[i] as number;
    const input = el("input", {
      type: "range",
      min: middle - range,
      max: middle + range,
      step: range / 200,
      "aria-label": `Latent dimension ${i + 1}`,
    });
    input.addEventListener("input", () => {
      const z = modelState.current.slice();
      z[i] = Number(input.value);
      modelState.setCode(model.constrain(z));
    });
    const kl = model.header.kl?.[i];
    const inactive = model.inactive(i);
    const title =
      kl === undefined
        ? "Standard deviation of this dimension over the examples"
        : "KL of this dimension to the prior, mean over the examples: its information about the example";
    const information = kl === undefined ? `σ ${fixed(model.std[i] as number)}` : `${fixed(kl)} nats`;
    list.append(
      el(
        "label",
        { class: inactive ? "inactive" : "", title },
        el("span", {}, dimension(i)),
        input,
        value,
        el("small", {}, inactive ? "inactive" : information),
      ),
    );
    sliders.set(i, { input, value });
  };
  const more = button(`All ${model.d} dimensions`, "Show a slider for every latent dimension", () => {
    for (const i of model.order.slice(FIRST)) add(i);
    more.hidden = true;
    show();
  });
  const grid = el("canvas", { class: "row picture", role: "img", "aria-label": "Latent traversal: one row per dimension" });
  const names = el("div", { class: "names" });
  const show = (): void => {
    for (const [i, { input, value }] of sliders) {
      const now = modelState.current[i] as number;
      if (Number(input.value) !== now) input.value = String(now);
      value.textContent = fixed(now);
    }
    traverse();
  };
  const traverse = debounce(() => drawTraversal(modelState, grid, names), 60);
  for (const i of model.order.slice(0, FIRST)) add(i);
  more.hidden = model.d <= FIRST;
  modelState.codeChanged.on(show);
  show();
  return card(
    "Latent dimensions",
    `${activity(model)} The sliders change the current code; the most informative dimensions are first. ` +
      `In the grid, each row changes one dimension from −${RANGE} to +${RANGE} standard deviations around the mean of the codes.`,
    el(
      "div",
      { class: "actions" },
      button("Reset to the mean", "Make the mean of all codes the current code", () => modelState.setCode(modelState.start())),
      button("Random code", "Make one of the random codes the current code", () =>
        modelState.setCode(model.sample(Math.floor(Math.random() * 256))),
      ),
    ),
    list,
    more,
    el("div", { class: "scroll traversal" }, names, grid),
  );
}

/** How many latent dimensions are active, and by which measure. */
function activity(model: Model): string {
  const active = model.order.filter((i) => !model.inactive(i)).length;
  const measure = model.header.kl
    ? `KL to the prior above ${model.threshold} nats, mean over the examples`
    : `standard deviation above ${model.threshold} over the examples`;
  return `${active} of ${model.d} latent dimensions ${active === 1 ? "is" : "are"} active (${measure}).`;
}

function drawTraversal({ model, painter, current }: ModelState, grid: HTMLCanvasElement, names: HTMLElement): void {
  const rows = model.order.slice(0, ROWS);
  grid.width = COLUMNS * (painter.width + 1) - 1;
  grid.height = rows.length * (painter.height + 1) - 1;
  const context = context2d(grid);
  rows.forEach((i, row) => {
    for (let column = 0; column < COLUMNS; column++) {
      const z = current.slice();
      const offset = (2 * column) / (COLUMNS - 1) - 1;
      z[i] = (model.mean[i] as number) + RANGE * offset * (model.std[i] as number);
      const image = model.decode(model.constrain(z));
      if (image) painter.paint(context, image, column * (painter.width + 1), row * (painter.height + 1));
    }
  });
  names.replaceChildren(...rows.map((i) => el("span", {}, dimension(i))));
}
