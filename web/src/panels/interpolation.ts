/** Interpolation between two pins, or along a drawn path, as a row of images and as an animation. */

import { chartOf } from "../chart";
import { button, card, context2d, el, radioGroup } from "../dom";
import { along, between } from "../geometry";
import type { ModelState, State } from "../state";

export const STEPS = 11;
const FRAMES = 60;
/** Milliseconds per frame. */
const INTERVAL = 50;
const SHOWN = 96;

export function interpolation(state: State, modelState: ModelState): HTMLElement {
  const { painter, model } = modelState;
  const row = el("canvas", { class: "row picture", role: "img", "aria-label": "Interpolated images" });
  const animation = painter.canvas("Animation of the interpolation", SHOWN);
  const note = el("p", { class: "note" });
  let playing = 0;
  const stop = (): void => {
    window.clearInterval(playing);
    playing = 0;
    play.textContent = "Play";
  };
  const codes = (steps: number): Float32Array[] => {
    if (modelState.path.length) {
      // A path belongs to the chart on which it was drawn; another chart removes it.
      const { lift } = chartOf(model, modelState.chart.key);
      return lift ? along(modelState.path, steps).map(([x, y]) => lift(x, y, modelState.current)) : [];
    }
    const [a, b] = modelState.pins;
    if (!a || !b || model.codebook) return [];
    return between(a, b, steps, onArc(state, modelState)).map((z) => model.constrain(z));
  };
  const play = button("Play", "Play the interpolation as an animation", () => {
    if (playing) {
      stop();
      return;
    }
    const images = codes(FRAMES);
    let frame = 0;
    play.textContent = "Stop";
    playing = window.setInterval(() => {
      // Forwards and backwards.
      const at = frame % (2 * FRAMES);
      const z = images[at < FRAMES ? at : 2 * FRAMES - 1 - at];
      const image = z && model.decode(z);
      if (image) painter.paint(context2d(animation), image);
      frame++;
    }, INTERVAL);
  });
  const clear = button("Clear", "Remove pins and path", () => modelState.setPins([]));
  const actions = el("div", { class: "actions" }, play, clear);
  const method = radioGroup(
    "Method",
    [
      ["line", "linear", "z = (1 − t) a + t b"],
      ["arc", "spherical", "Along an arc: keeps the norm between codes of equal norm"],
    ],
    state.arc ? "arc" : "line",
    (value) => {
      state.arc = value === "arc";
      for (const each of state.models) each.codeChanged.emit();
    },
  );
  const show = (): void => {
    stop();
    const found = codes(STEPS);
    const images = found.map((z) => model.decode(z)?.slice()).filter((image) => image !== undefined);
    for (const part of [row, animation, actions]) part.hidden = !images.length;
    method.hidden = !images.length || modelState.path.length > 0 || model.header.space === "sphere";
    note.textContent = describe(modelState, images.length);
    if (!images.length) return;
    painter.row(context2d(row), images);
    painter.paint(context2d(animation), images[0] as Float32Array);
  };
  modelState.codeChanged.on(show);
  modelState.chartChanged.on(show);
  show();
  return card("Interpolation", "", note, el("div", { class: "scroll" }, row), el("div", { class: "animation" }, animation, el("div", {}, method, actions)));
}

/** Whether the interpolation is spherical. */
export function onArc(state: State, { model }: ModelState): boolean {
  return state.arc || model.header.space === "sphere";
}

function describe({ model, path }: ModelState, shown: number): string {
  if (path.length) return `${shown} codes at equal distances along the drawn path.`;
  if (shown) return `${shown} codes from pin A to pin B.`;
  if (model.codebook) return "Discrete codes cannot be interpolated; change single codebook entries below.";
  return "Click two positions on the plane, or choose the tool “path” and draw a path.";
}
