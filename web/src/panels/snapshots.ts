/** Training progress: the codes and the decoded plane at some steps of the training. */

import type { Content, SnapshotHeader } from "../content";
import { button, card, context2d, count, el } from "../dom";
import { SpriteSheet } from "../picture";
import { drawDots } from "../plane/points";
import { View } from "../plane/view";
import type { ModelState, State } from "../state";

/** Side in CSS pixels. */
const SIDE = 420;
/** Milliseconds per snapshot. */
const INTERVAL = 350;

export interface Snapshot {
  step: number;
  points: Float32Array;
  sprites: SpriteSheet;
  header: SnapshotHeader;
}

/** Reads the snapshots of a model from the content of the page. */
export function readSnapshots(headers: readonly SnapshotHeader[], content: Content): Promise<Snapshot[]> {
  return Promise.all(
    headers.map(async (header) => ({
      step: header.step,
      points: content.floats(header.points),
      sprites: await SpriteSheet.read(content, header),
      header,
    })),
  );
}

export function snapshots(state: State, modelState: ModelState, all: readonly Snapshot[]): HTMLElement {
  const side = SIDE * 2;
  const plane = el("canvas", { class: "half", width: side, height: side, role: "img", "aria-label": "Codes at this training step" });
  const grid = el("canvas", { class: "half picture", role: "img", "aria-label": "Decoded plane at this training step" });
  const dots = document.createElement("canvas");
  dots.width = dots.height = side;
  const last = all.length - 1;
  const slider = el("input", { type: "range", min: 0, max: last, step: 1, value: last, "aria-label": "Training step" });
  const step = el("output", { class: "value" });
  const colours = (n: number): Uint32Array => state.colours(modelState, "#2f6fb0").slice(0, n);
  let playing = 0;
  const show = (): void => {
    const { header, points, sprites, step: now } = all[Number(slider.value)] as Snapshot;
    const { low, high, columns } = header;
    const view = new View(SIDE);
    view.state = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, 1];
    view.zoom(SIDE / (high[0] - low[0]) / view.length(1));
    const image = new ImageData(side, side);
    drawDots({ points, colours: colours(points.length / 2), faint: null }, view, image, 5);
    context2d(dots).putImageData(image, 0, 0);
    const context = context2d(plane);
    context.fillStyle = getComputedStyle(plane).getPropertyValue("--card");
    context.fillRect(0, 0, side, side);
    context.drawImage(dots, 0, 0);
    const { width, height } = sprites;
    grid.width = columns * width;
    grid.height = columns * height;
    for (let i = 0; i < columns * columns; i++) {
      sprites.draw(context2d(grid), i, (i % columns) * width, Math.floor(i / columns) * height, width, height);
    }
    step.textContent = `step ${count(now)} of ${count((all[last] as Snapshot).step)}`;
  };
  const stop = (): void => {
    window.clearInterval(playing);
    playing = 0;
    play.textContent = "Play";
  };
  const play = button("Play", "Play the training from its first step", () => {
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
    }, INTERVAL);
  });
  slider.addEventListener("input", () => {
    stop();
    show();
  });
  state.styleChanged.on(show);
  requestAnimationFrame(show);
  return card("Training progress", note(state, modelState, all[0] as Snapshot), el("div", { class: "level" }, play, slider, step), el("div", { class: "halves" }, plane, grid));
}

function note({ examples }: State, { model }: ModelState, first: Snapshot): string {
  const name = examples.classes[model.labelOf(0)];
  const context = !model.header.context ? "" : model.conditional && name ? `, for the class “${name}”` : ", with the context of the first example";
  return (
    `Left: the codes of ${count(first.points.length / 2)} examples. Right: decoded images of the same part of the plane${context}. ` +
    "Each step has its own scale."
  );
}
