/** How one model encodes and decodes an image: x → μ, σ → z = μ + σ ε → x̂, and the terms of the loss. */

import { dimension } from "../chart";
import { button, context2d, el, fixed } from "../dom";
import { klDivergence, negativeLogLikelihood, normal, squaredError } from "../measure";
import type { Encoding } from "../model";
import type { ModelState, State } from "../state";

const SHOWN = 96;
/** Latent dimensions in the table; the most informative ones of a long code. */
const MAX_ROWS = 4;

export interface Flow {
  element: HTMLElement;
  /** Encodes an image; `example` is the one that it is, if any. */
  show: (x: Float32Array, example: number | null) => void;
  clear: () => void;
}

export function flow(state: State, modelState: ModelState): Flow {
  const { model, painter } = modelState;
  const { name } = model.header;
  const input = painter.canvas(`Input of ${name}`, SHOWN);
  const output = painter.canvas(`Image decoded by ${name}`, SHOWN);
  const inputText = el("span", { class: "value" });
  const errorText = el("span", { class: "value" });
  const table = el("table", { class: "code-table" });
  const terms = el("p", { class: "terms value" });
  const sampled = model.hasPosterior;
  let noise = new Float32Array(model.d);
  let shown: { x: Float32Array; label: number; example: number | null } | null = null;
  const encode = (): void => {
    const encoding = shown && model.encode(shown.x, shown.label, shown.example ?? 0);
    if (!shown || !encoding) return;
    const { x, label, example } = shown;
    const { z: mean, scale } = encoding;
    const z = scale ? mean.map((value, i) => value + (scale[i] as number) * (noise[i] as number)) : mean;
    modelState.drawn = scale ? { ...encoding, sample: z } : encoding;
    painter.paint(context2d(input), x);
    table.replaceChildren(...rows(modelState, encoding, noise, z));
    const { which } = model.nearest(mean);
    const nearest = state.className(which);
    inputText.textContent = nearest && example === null ? `nearest example: “${nearest}”` : "";
    const image = model.decode(z, label, example ?? which);
    if (image) {
      painter.paint(context2d(output), image);
      errorText.textContent = `squared error ${fixed(squaredError(image, x), 1)}`;
      terms.textContent = describe(modelState, encoding, x, image);
    }
    state.markChanged.emit();
  };
  const redraw = (values: Float32Array<ArrayBuffer>) => (): void => {
    noise = values;
    encode();
  };
  const actions = el(
    "div",
    { class: "actions" },
    button("Draw ε again", "Draw another ε from N(0, I)", () => redraw(normal(model.d) as Float32Array<ArrayBuffer>)()),
    button("ε = 0", "Decode the mean of the posterior", () => redraw(new Float32Array(model.d))()),
  );
  const figure = (canvas: HTMLCanvasElement, title: string, text: HTMLElement): HTMLElement =>
    el("figure", {}, canvas, el("figcaption", {}, el("b", {}, title), text));
  const arrow = (): HTMLElement => el("span", { class: "arrow", "aria-hidden": "true" }, "→");
  const clear = (): void => {
    modelState.drawn = shown = null;
    for (const canvas of [output, input]) {
      const context = context2d(canvas);
      context.fillStyle = "#000";
      context.fillRect(0, 0, canvas.width, canvas.height);
    }
    for (const each of [inputText, errorText, terms]) each.textContent = "";
    table.replaceChildren(...rows(modelState, null, noise, null));
    state.markChanged.emit();
  };
  clear();
  return {
    element: el(
      "div",
      { class: "result" },
      el("h4", {}, name, el("small", {}, sampled ? "x → μ, σ → z = μ + σ ε → x̂" : "x → z → x̂")),
      el(
        "div",
        { class: "flow" },
        figure(input, "x", inputText),
        arrow(),
        el("div", {}, table, sampled && actions),
        arrow(),
        figure(output, "x̂", errorText),
      ),
      terms,
    ),
    show: (x, example) => {
      shown = { x, label: example === null ? model.label : model.labelOf(example), example };
      encode();
    },
    clear,
  };
}

/** The code as a table: a row for each of the most informative dimensions. */
function rows({ model }: ModelState, encoding: Encoding | null, noise: Float32Array, z: Float32Array | null): HTMLElement[] {
  const { d, order } = model;
  const names = model.hasPosterior ? ["μ", "σ", "ε", "σ ε", "z"] : ["z"];
  const number = (value: number | undefined): HTMLElement => el("td", {}, value === undefined ? "·" : fixed(value));
  const head = el("tr", {}, el("td", {}), ...names.map((text) => el("th", { scope: "col" }, text)));
  const body = order.slice(0, MAX_ROWS).map((i) => {
    const [mean, scale, e] = [encoding?.z[i], encoding?.scale?.[i], encoding ? noise[i] : undefined];
    const values = model.hasPosterior ? [mean, scale, e, scale === undefined ? undefined : scale * (e as number), z?.[i]] : [z?.[i]];
    return el("tr", {}, el("th", { scope: "row" }, dimension(i)), ...values.map(number));
  });
  const rest = el("caption", {}, d > MAX_ROWS ? `${MAX_ROWS} of ${d} latent dimensions` : "");
  return [rest, head, ...body];
}

/** The terms of the loss for this image; for a model without a posterior, what its code is. */
function describe({ model }: ModelState, { z, scale }: Encoding, x: Float32Array, image: Float32Array): string {
  const { likelihood } = model.header.loss;
  const nats = likelihood ? negativeLogLikelihood(x, image, likelihood) : 0;
  const kind = likelihood && likelihood.kind + (likelihood.scale === null ? "" : `, scale ${fixed(likelihood.scale)}`);
  const first = likelihood ? [`−ln p(x|z) = ${fixed(nats, 1)} nats (${kind})`] : [];
  if (scale && model.prior) first.push(`KL(q(z|x) ‖ p(z)) = ${fixed(klDivergence({ mean: z, scale }, model.prior))} nats`);
  if (scale) return first.join("; ");
  const zeros = z.filter((value) => value === 0).length;
  const sparse = zeros ? ` ${model.d - zeros} of ${model.d} latent dimensions are not zero.` : "";
  return `${first.join("")}${first.length ? ". " : ""}The code has no posterior: the same image gives the same z.${sparse}`;
}
