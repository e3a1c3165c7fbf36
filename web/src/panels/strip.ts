/** From one pin to the other, or along a drawn path: a strip of images, and a film of it. */

import { chartOf } from "../chart";
import { button, card, choice, el, pen } from "../dom";
import { along, between } from "../geometry";
import type { Seat, State } from "../state";

const STEPS = 11;
const FRAMES = 60;
const SHOWN = 96;

export function strip(state: State, seat: Seat): HTMLElement {
  const { painter, model } = seat;
  const row = el("canvas", { class: "row picture", role: "img", "aria-label": "Images on the way" });
  const film = painter.canvas("The film of the way", SHOWN);
  const says = el("p", { class: "says" });
  let playing = 0;
  const stop = (): void => {
    window.clearInterval(playing);
    playing = 0;
    play.textContent = "Play";
  };
  const codes = (steps: number): Float32Array[] => {
    if (seat.path.length) {
      // A path is drawn on the chart that is up; it is taken away when that is turned.
      const { lift } = chartOf(model, seat.chart.key);
      return lift ? along(seat.path, steps).map(([x, y]) => lift(x, y, seat.rest)) : [];
    }
    const [a, b] = seat.pins;
    if (!a || !b || model.book) return [];
    return between(a, b, steps, state.arc || model.header.space === "sphere").map((z) => model.tamed(z));
  };
  const play = button("Play", "Shows the way as a film", () => {
    if (playing) {
      stop();
      return;
    }
    const images = codes(FRAMES);
    let frame = 0;
    play.textContent = "Stop";
    playing = window.setInterval(() => {
      // There and back.
      const at = frame % (2 * FRAMES);
      const z = images[at < FRAMES ? at : 2 * FRAMES - 1 - at];
      const image = z && model.decode(z);
      if (image) painter.paint(pen(film), image);
      frame++;
    }, 50);
  });
  const clear = button("Clear", "Takes pins and path away", () => seat.pinAll([]));
  const acts = el("div", { class: "acts" }, play, clear);
  const straight = choice(
    "Way",
    [
      ["line", "straight", "z = (1 − t) a + t b"],
      ["arc", "spherical", "Along the arc: keeps the length of normal codes in many dimensions"],
    ],
    "line",
    (value) => {
      state.arc = value === "arc";
      for (const each of state.seats) each.moved.say();
    },
  );
  const show = (): void => {
    stop();
    const found = codes(STEPS);
    const images = found.map((z) => model.decode(z)?.slice()).filter((image) => image !== undefined);
    for (const part of [row, film, acts]) part.hidden = !images.length;
    straight.hidden = !images.length || seat.path.length > 0 || model.header.space === "sphere";
    says.textContent = words(seat, images.length);
    if (!images.length) return;
    painter.row(pen(row), images);
    painter.paint(pen(film), images[0] as Float32Array);
  };
  seat.moved.on(show);
  seat.turned.on(show);
  show();
  return card("On the way", "", says, el("div", { class: "wide" }, row), el("div", { class: "film" }, film, el("div", {}, straight, acts)));
}

function words(seat: Seat, shown: number): string {
  if (seat.path.length) return `${shown} codes at equal distances along the drawn path.`;
  if (shown) return `${shown} codes from pin A to pin B.`;
  if (seat.model.book) return "Discrete codes have no codes in between; change single entries below.";
  return "Click two places of the plane, or draw a path through it.";
}
