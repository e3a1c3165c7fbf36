/** The steps of the lesson that the models of a page can show. */

import { fixed } from "../dom";
import { boxCodes, farShare, normal, quantile, squaredError } from "../measure";
import { DEFAULT_NOISE, trainedNoise } from "../panels/denoising";
import { asExample } from "../picture";
import type { ModelState, State } from "../state";
import { classStep } from "./classes";
import { pinStep } from "./pins";
import { randomStep } from "./random";
import { FAR, type Step, examplesOf, listed, named, percent } from "./step";

/** Random codes, and examples with noise, that are measured. */
const BOX_CODES = 256;
const NOISY_EXAMPLES = 16;

export function stepsOf(state: State): Step[] {
  return [noiseStep, hoverStep, encodeStep, randomStep, pinStep, classStep].map((step) => step(state)).filter((step) => step !== null);
}

/** Noise, for pages with a denoising model. */
function noiseStep(state: State): Step | null {
  const models = state.models.filter(({ model }) => model.encodes && model.decodes && model.header.image_shape.length > 1);
  if (!state.sprites.exact || !models.some(({ model }) => model.header.corruption)) return null;
  return {
    key: "noise",
    title: "Add noise: what does the model restore?",
    instruction: "Move the slider to change the noise, and move the cursor over the plane to change the example.",
    look: "the noisy input, and the restored image to its right. The clean example is last.",
    card: "denoising",
    measured: () => models.map((modelState) => restored(state, modelState)),
  };
}

function restored(state: State, modelState: ModelState): string {
  const { model } = modelState;
  const scale = trainedNoise(model) ?? DEFAULT_NOISE;
  const n = Math.min(NOISY_EXAMPLES, model.n);
  let [before, after] = [0, 0];
  for (let which = 0; which < n; which++) {
    const x = asExample(state.sprites.pixels(which), model.header.image_shape);
    const noise = normal(x.length);
    const noisy = x.map((value, i) => Math.min(1, Math.max(0, value + scale * (noise[i] as number))));
    const label = model.labelOf(which);
    const encoding = model.encode(noisy, label, which);
    const image = encoding && model.decode(encoding.z, label, which);
    before += squaredError(noisy, x) / n;
    after += image ? squaredError(image, x) / n : 0;
  }
  return (
    `${named(modelState)}: with Gaussian noise, σ = ${fixed(scale)}, the squared error to the clean example is ${fixed(before, 1)} for the noisy input ` +
    `and ${fixed(after, 1)} for the restored image (mean of ${examplesOf(n)}, summed over ${model.sizeText}).`
  );
}

function hoverStep(state: State): Step {
  const moves = state.models.some(({ chart }) => chart.lift);
  return {
    key: "hover",
    title: "Hover: what does the decoder draw here?",
    instruction: "Move the cursor or a finger over the plane, or focus the plane and press the arrow keys.",
    look: moves
      ? "the decoded image beside the plane: among points of one colour, between two colours, and far from all points."
      : "the decoded image beside the plane. The cursor moves from example to example.",
    measured: () => [
      ...state.models.map(
        ({ model }, i) =>
          `${named(state.models[i] as ModelState)}: half of the ${examplesOf(model.n)} have a squared error below ${fixed(quantile(model.errors, 0.5), 1)} (summed over ${model.sizeText}).`,
      ),
      ...farParts(state.models.filter(({ model }) => model.header.plane.is_latent_space && !model.codebook)),
    ],
  };
}

/** How much of a plane is far from the codes. */
function farParts(models: readonly ModelState[]): string[] {
  if (!models.length) return [];
  const parts = models.map((modelState) => `${percent(farShare(modelState.model, boxCodes(modelState.model, BOX_CODES)))} for ${named(modelState)}`);
  return [`${FAR} The share of the rectangle around all codes that is far: ${listed(parts)}.`];
}

/** The flow from an image to its code and back. */
function encodeStep(state: State): Step | null {
  const models = state.models.filter(({ model }) => model.encodes && model.decodes && model.header.image_shape.length > 1);
  if (!models.length) return null;
  const sampled = models.filter(({ model }) => model.hasPosterior);
  const { classes } = state.examples;
  const digits = classes.length > 0 && classes.every((name) => /^\d$/.test(name));
  const example = state.sprites.exact ? ", or press “Random example”" : "";
  const noun = digits ? "a digit" : "an image";
  return {
    key: "encode",
    title: sampled.length ? `Draw ${noun}: see μ, σ, ε and z, and the two loss terms` : `Draw ${noun}: see its code z and the error`,
    instruction: `Draw ${noun}${example}${sampled.length ? "; then press “Draw ε again” several times" : ""}.`,
    look: sampled.length
      ? `σ ε, which moves z away from μ, and the image decoded from z. The loss of ${listed(sampled.map(named))} has two terms: −ln p(x|z) and KL. ` +
        "On the plane, the dot is μ, the ellipse is two σ, and the ring is z."
      : "the code z, and the squared error between x and x̂. On the plane, the dot is z.",
    card: "draw",
    measured: () => models.map(meanTerms),
  };
}

function meanTerms(modelState: ModelState): string {
  const { model } = modelState;
  const { kl } = model.header;
  const error = model.errors.reduce((sum, value) => sum + value, 0) / model.n;
  const nats = kl && model.hasPosterior ? `, KL ${fixed(kl.reduce((sum, value) => sum + value, 0))} nats` : "";
  return `${named(modelState)}: mean over ${examplesOf(model.n)}: squared error ${fixed(error, 1)} (summed over ${model.sizeText}${model.hasPosterior ? ", decoded from μ" : ""})${nats}.`;
}
