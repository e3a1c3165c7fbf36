/** Random codes, decoded, against codes of examples. */

import { button, context2d, el } from "../dom";
import { boxCodes, evenly, farShare } from "../measure";
import type { ModelState, State } from "../state";
import { FAR, type Step, listed, named, percent } from "./step";

const COLUMNS = 12;
const CODES = 256;

export function randomStep(state: State): Step | null {
  const models = state.models.filter(({ model }) => model.decodes);
  const [first] = models;
  if (!first) return null;
  const sources = new Map(models.map((modelState) => [modelState, randomCodes(modelState)]));
  return {
    key: "random",
    title: models.length > 1 ? `Random codes: ${models.map(({ model }) => model.header.name).join(" against ")}` : "Random codes against codes of examples",
    instruction: "Press “Draw others” several times, and compare the two rows of images.",
    look: "images in the first row that look unlike any example. The second row shows what the same decoder makes of codes of examples.",
    body: () => rows(state, sources),
    measured: () => [
      FAR,
      ...[...sources].map(
        ([modelState, { codes, source }]) =>
          `${named(modelState)}: ${percent(farShare(modelState.model, codes))} of ${codes.length} random codes are far. They are from ${source}.`,
      ),
    ],
  };
}

interface Source {
  codes: Float32Array[];
  source: string;
}

/** Codes from the prior, or a box around the codes: not from a sampler that was fitted later. */
function randomCodes({ model }: ModelState): Source {
  const { source } = model.header.samples;
  if (source === "the prior" || model.codebook) return { source, codes: Array.from({ length: CODES }, (_, k) => model.sample(k)) };
  return { source: "the uniform distribution over the bounding box of the codes", codes: boxCodes(model, CODES) };
}

function rows(state: State, sources: ReadonlyMap<ModelState, Source>): Node[] {
  let from = 0;
  const shown = [...sources].map(([modelState, { codes, source }]) => {
    const { model, painter } = modelState;
    const row = (label: string): HTMLCanvasElement =>
      el("canvas", { class: "row picture", role: "img", "aria-label": `${label} decoded by ${model.header.name}` });
    const [random, known] = [row("Random codes"), row("Codes of examples")];
    const examples = evenly(model.n, CODES);
    const paint = (canvas: HTMLCanvasElement, decode: (k: number) => Float32Array | null): void => {
      const images = Array.from({ length: COLUMNS }, (_, k) => decode((from + k) % CODES)?.slice());
      painter.row(context2d(canvas), images.filter((image) => image !== undefined));
    };
    const show = (): void => {
      paint(random, (k) => model.decode(codes[k] as Float32Array, undefined, k % model.n));
      paint(known, (k) => {
        const which = examples[(k * 7) % examples.length] as number;
        return model.decode(model.code(which), model.labelOf(which), which);
      });
    };
    const figure = (canvas: HTMLCanvasElement, text: string): HTMLElement =>
      el("figure", {}, el("div", { class: "scroll" }, canvas), el("figcaption", {}, text));
    const context = model.conditional ? `, decoded for the class “${state.examples.classes[model.label]}”` : "";
    const element = el(
      "div",
      {},
      el("h3", {}, model.header.name),
      figure(random, `Random codes from ${source}${context}`),
      figure(known, "Codes of examples"),
    );
    return { element, show };
  });
  const draw = (): void => {
    for (const { show } of shown) show();
  };
  draw();
  const others = button("Draw others", `Decode other codes of ${listed([...sources.keys()].map(named))}`, () => {
    from = (from + COLUMNS) % CODES;
    draw();
  });
  return [el("div", { class: "columns" }, ...shown.map(({ element }) => element)), el("div", { class: "actions" }, others)];
}
