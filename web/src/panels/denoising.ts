/** Noise on an example, and its reconstruction by each model. */

import { card, context2d, el, fixed } from "../dom";
import type { Model } from "../model";
import { normal, squaredError } from "../measure";
import { asExample } from "../picture";
import type { ModelState, State } from "../state";

const SHOWN = 112;
/** The standard deviation of the noise if no model was trained with Gaussian noise. */
export const DEFAULT_NOISE = 0.5;

export function denoising(state: State): HTMLElement {
  const models = state.models.filter(({ model }) => model.encodes && model.decodes);
  const { painter, model } = models[0] as ModelState;
  let which = 0;
  let level = Math.min(1, models.map(({ model }) => trainedNoise(model)).find((scale) => scale !== null) ?? DEFAULT_NOISE);
  // The same noise at every level, so that the slider only scales it.
  const noise = normal(model.pixels);
  const noisy = painter.canvas("The example with noise", SHOWN);
  const clean = painter.canvas("The example", SHOWN);
  const results = models.map((modelState) => ({
    modelState,
    canvas: painter.canvas(`Reconstruction by ${modelState.model.header.name}`, SHOWN),
    errorText: el("span", { class: "value" }),
  }));
  const levelText = el("output", {});
  const slider = el("input", { type: "range", min: 0, max: 1, step: 0.01, value: level, "aria-label": "Standard deviation of the noise" });
  const noisyText = el("span", { class: "value" });
  const show = (): void => {
    const x = asExample(state.sprites.pixels(which), model.header.image_shape);
    const inputs = x.map((value, i) => Math.min(1, Math.max(0, value + level * (noise[i] as number))));
    painter.paint(context2d(clean), x);
    painter.paint(context2d(noisy), inputs);
    noisyText.textContent = `squared error ${fixed(squaredError(inputs, x), 1)}`;
    levelText.textContent = `σ = ${fixed(level)}`;
    for (const { modelState, canvas, errorText } of results) {
      const label = modelState.model.labelOf(which);
      const encoding = modelState.model.encode(inputs, label, which);
      const image = encoding && modelState.model.decode(encoding.z, label, which);
      if (!image) continue;
      painter.paint(context2d(canvas), image);
      errorText.textContent = `squared error ${fixed(squaredError(image, x), 1)}`;
    }
  };
  slider.addEventListener("input", () => {
    level = Number(slider.value);
    show();
  });
  state.markChanged.on(() => {
    if (state.marked === null || state.marked === which) return;
    which = state.marked;
    show();
  });
  show();
  const figure = (canvas: HTMLCanvasElement, title: string, text: HTMLElement | string): HTMLElement =>
    el("figure", {}, canvas, el("figcaption", {}, el("b", {}, title), text));
  return card(
    "Denoising",
    `Gaussian noise is added to the example last under the cursor, and values are clipped to [0, 1]. ${training(models)} ` +
      `Squared errors are to the clean example, summed over ${model.sizeText}.`,
    el("label", { class: "level" }, el("span", {}, "noise"), slider, levelText),
    el(
      "div",
      { class: "denoised" },
      figure(noisy, "noisy input", noisyText),
      ...results.map(({ modelState, canvas, errorText }) => figure(canvas, `restored by ${modelState.model.header.name}`, errorText)),
      figure(clean, "clean", ""),
    ),
  );
}

/** How each model was trained: with which corruption. */
function training(models: readonly ModelState[]): string {
  const all = models.map(({ model }) => {
    const scale = trainedNoise(model);
    const { corruption, name } = model.header;
    if (scale !== null) return `“${name}” was trained with Gaussian noise, σ = ${fixed(scale)}`;
    return `“${name}” was trained ${corruption ? `with the corruption “${corruption.kind}”` : "without noise"}`;
  });
  return `${all.join("; ")}.`;
}

/** The standard deviation of the Gaussian noise that a model was trained with, if any. */
export function trainedNoise({ header: { corruption } }: Model): number | null {
  return corruption?.kind === "gaussian-noise" && typeof corruption["scale"] === "number" ? corruption["scale"] : null;
}
