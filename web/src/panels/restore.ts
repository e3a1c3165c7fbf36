/** Noise on an example, and what each model makes of it. */

import { card, digits, el, pen } from "../dom";
import { asExample } from "../picture";
import type { Seat, State } from "../state";

const SHOWN = 112;

export function restore(state: State): HTMLElement {
  const seats = state.seats.filter(({ model }) => model.encodes && model.decodes);
  const { painter, model } = seats[0] as Seat;
  let which = 0;
  let level = trained(seats);
  // The same noise at every level, so that the slider only turns it up.
  const noise = normal(model.header.image.reduce((product, side) => product * side, 1));
  const noisy = painter.canvas("The example with noise", SHOWN);
  const clean = painter.canvas("The example", SHOWN);
  const restored = seats.map((seat) => ({
    seat,
    canvas: painter.canvas(`Restored by ${seat.model.header.name}`, SHOWN),
    says: el("span", { class: "figure" }),
  }));
  const said = el("output", {});
  const slider = el("input", { type: "range", min: 0, max: 1, step: 0.01, value: level, "aria-label": "Standard deviation of the noise" });
  const before = el("span", { class: "figure" });
  const show = (): void => {
    const x = asExample(state.sheet.pixels(which), model.header.image);
    const seen = x.map((value, i) => Math.min(1, Math.max(0, value + level * (noise[i] as number))));
    painter.paint(pen(clean), x);
    painter.paint(pen(noisy), seen);
    before.textContent = `squared error ${digits(error(seen, x), 1)}`;
    said.textContent = `σ = ${digits(level)}`;
    for (const { seat, canvas, says } of restored) {
      const label = seat.model.labelOf(which);
      const landing = seat.model.encode(seen, label, which);
      const made = landing && seat.model.decode(landing.z, label, which);
      if (!made) continue;
      painter.paint(pen(canvas), made);
      says.textContent = `squared error ${digits(error(made, x), 1)}`;
    }
  };
  slider.addEventListener("input", () => {
    level = Number(slider.value);
    show();
  });
  state.pointed.on(() => {
    if (state.marked === null || state.marked === which) return;
    which = state.marked;
    show();
  });
  show();
  const figure = (canvas: HTMLCanvasElement, title: string, note: HTMLElement | string): HTMLElement =>
    el("figure", {}, canvas, el("figcaption", {}, el("b", {}, title), note));
  return card(
    "Noise, and what is restored",
    "Gaussian noise on the example that was last pointed at, values cut off at 0 and 1.",
    el("label", { class: "level" }, el("span", {}, "noise"), slider, said),
    el(
      "div",
      { class: "restored" },
      figure(clean, "clean", ""),
      figure(noisy, "as it is seen", before),
      ...restored.map(({ seat, canvas, says }) => figure(canvas, seat.model.header.name, says)),
    ),
  );
}

/** The noise that a denoising model was trained with. */
function trained(seats: readonly Seat[]): number {
  for (const { model } of seats) {
    const { corruption } = model.header;
    if (corruption?.kind === "gaussian" && typeof corruption["scale"] === "number") return Math.min(1, corruption["scale"]);
  }
  return 0.5;
}

function error(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0);
}

/** Normal numbers, by Box and Muller. */
function normal(n: number): Float32Array {
  return Float32Array.from({ length: n }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
    return radius * Math.cos(2 * Math.PI * Math.random());
  });
}
