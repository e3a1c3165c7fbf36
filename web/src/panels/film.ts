/** Training as a film: how the codes spread and what the plane decodes to, step by step. */

import type { Content, FrameHeader } from "../content";
import { button, card, count, el, pen } from "../dom";
import { Sheet } from "../picture";
import { drawDots } from "../plane/points";
import { View } from "../plane/view";
import type { Seat, State } from "../state";

/** CSS pixels of a side, and milliseconds of a frame. */
const SIDE = 420;
const FRAME = 350;

export interface Frame {
  step: number;
  points: Float32Array;
  sheet: Sheet;
  header: FrameHeader;
}

/** The frames that travel with the page. */
export function framesOf(headers: readonly FrameHeader[], content: Content): Promise<Frame[]> {
  return Promise.all(
    headers.map(async (header) => ({
      step: header.step,
      points: content.floats(header.points),
      sheet: await Sheet.read(content.bytes(header.sheet), header),
      header,
    })),
  );
}

export function film(state: State, seat: Seat, frames: readonly Frame[]): HTMLElement {
  const whole = SIDE * 2;
  const plane = el("canvas", { class: "half", width: whole, height: whole, role: "img", "aria-label": "Codes at this step of the training" });
  const grid = el("canvas", { class: "half picture", role: "img", "aria-label": "What the plane decodes to at this step" });
  const dots = document.createElement("canvas");
  dots.width = dots.height = whole;
  const last = frames.length - 1;
  const slider = el("input", { type: "range", min: 0, max: last, step: 1, value: last, "aria-label": "Step of the training" });
  const said = el("output", { class: "figure" });
  const colours = (n: number): Uint32Array => state.colours(seat, "#2f6fb0").slice(0, n);
  let playing = 0;
  const show = (): void => {
    const frame = frames[Number(slider.value)] as Frame;
    const { low, high } = frame.header;
    const view = new View(SIDE);
    view.state = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, 1];
    view.zoom(SIDE / (high[0] - low[0]) / view.length(1));
    const image = new ImageData(whole, whole);
    drawDots({ points: frame.points, colours: colours(frame.points.length / 2), faint: null }, view, image, 5);
    pen(dots).putImageData(image, 0, 0);
    const context = pen(plane);
    context.fillStyle = getComputedStyle(plane).getPropertyValue("--card");
    context.fillRect(0, 0, whole, whole);
    context.drawImage(dots, 0, 0);
    const side = frame.header.columns;
    grid.width = side * frame.sheet.width;
    grid.height = side * frame.sheet.height;
    for (let i = 0; i < side * side; i++) {
      const [column, row] = [i % side, Math.floor(i / side)];
      frame.sheet.draw(pen(grid), i, column * frame.sheet.width, row * frame.sheet.height, frame.sheet.width, frame.sheet.height);
    }
    said.textContent = `step ${count(frame.step)} of ${count((frames[last] as Frame).step)}`;
  };
  const stop = (): void => {
    window.clearInterval(playing);
    playing = 0;
    play.textContent = "Play";
  };
  const play = button("Play", "Shows the training from its beginning", () => {
    if (playing) {
      stop();
      return;
    }
    play.textContent = "Stop";
    if (Number(slider.value) === last) slider.value = "0";
    show();
    playing = window.setInterval(() => {
      slider.value = String(Number(slider.value) + 1);
      show();
      if (Number(slider.value) === last) stop();
    }, FRAME);
  });
  slider.addEventListener("input", () => {
    stop();
    show();
  });
  state.restyled.on(show);
  requestAnimationFrame(show);
  return card(
    "Training as a film",
    `Left the codes of ${count((frames[0] as Frame).points.length / 2)} test examples, right what the same part of the plane decodes to, each frame on its own scale.`,
    el("div", { class: "level" }, play, slider, said),
    el("div", { class: "halves" }, plane, grid),
  );
}
