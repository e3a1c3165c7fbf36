/** Axes below the points; cursor, pins and lines above them. */

import type { Chart } from "../chart";
import { fixed } from "../dom";
import { type Point, places, ticks } from "../geometry";
import type { State } from "../state";
import type { Plane } from "./plane";
import type { View } from "./view";

/** Minimum CSS pixels between two ticks. */
const MIN_TICK_DISTANCE = 90;
/** CSS pixels for the labels of the ticks. */
const LABEL_HEIGHT = 18;

/** Grid lines, ticks and names of both axes. */
export function drawAxes(context: CanvasRenderingContext2D, view: View, chart: Chart, style: CSSStyleDeclaration): void {
  const { low, high } = view.bounds;
  const { side } = view;
  const faint = style.getPropertyValue("--rule");
  const across = ticks(low[0], high[0], side / MIN_TICK_DISTANCE);
  const up = ticks(low[1], high[1], side / MIN_TICK_DISTANCE);
  context.lineWidth = 1;
  context.strokeStyle = faint;
  context.beginPath();
  for (const x of across) stroke(context, [view.toScreen(x, 0)[0], 0], [view.toScreen(x, 0)[0], side]);
  for (const y of up) stroke(context, [0, view.toScreen(0, y)[1]], [side, view.toScreen(0, y)[1]]);
  context.stroke();
  context.font = `11px ${style.fontFamily}`;
  const ink = style.getPropertyValue("--soft");
  const ground = style.getPropertyValue("--card");
  context.textBaseline = "alphabetic";
  context.textAlign = "center";
  // The name of the axis is at its end.
  const room = context.measureText(chart.axes[0]).width + 30;
  for (const x of across) {
    const px = view.toScreen(x, 0)[0];
    if (px > 40 && px < side - room) label(context, fixed(x, places(across)), px, side - 5, ink, ground);
  }
  context.textAlign = "left";
  for (const y of up) {
    const py = view.toScreen(0, y)[1];
    if (py > 30 && py < side - LABEL_HEIGHT) label(context, fixed(y, places(up)), 5, py + 4, ink, ground);
  }
  context.font = `600 11px ${style.fontFamily}`;
  context.textAlign = "right";
  label(context, chart.axes[0], side - 6, side - 5, ink, ground);
  context.textAlign = "left";
  label(context, chart.axes[1], 6, 15, ink, ground);
}

/** Text with an outline, readable on any background. */
function label(context: CanvasRenderingContext2D, text: string, x: number, y: number, ink: string, ground: string): void {
  context.strokeStyle = ground;
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeText(text, x, y);
  context.fillStyle = ink;
  context.fillText(text, x, y);
}

function stroke(context: CanvasRenderingContext2D, a: Point, b: Point): void {
  context.moveTo(Math.round(a[0]) + 0.5, Math.round(a[1]) + 0.5);
  context.lineTo(Math.round(b[0]) + 0.5, Math.round(b[1]) + 0.5);
}

/** The cursor, the marked example, pins, path, lasso, and the code of the drawing. */
export function drawOver(context: CanvasRenderingContext2D, plane: Plane, state: State, style: CSSStyleDeclaration): void {
  const { view, modelState } = plane;
  const { chart } = modelState;
  const colours = { ink: style.getPropertyValue("--ink"), ground: style.getPropertyValue("--card") };
  const accent = style.getPropertyValue("--hot");
  const at = (z: Float32Array): Point => view.toScreen(...chart.project(z));
  if (plane.line.length > 1) polyline(context, plane.line, colours, state.tool === "lasso");
  if (modelState.path.length > 1) polyline(context, modelState.path.map(([x, y]) => view.toScreen(x, y)), colours, false);
  const pins = modelState.pins.map(at);
  if (pins.length === 2 && chart.lift) polyline(context, pins, colours, false);
  if (!pins.length && !modelState.path.length) cross(context, at(modelState.current), colours);
  pins.forEach((pin, i) => badge(context, pin, "AB"[i] ?? "", accent));
  if (modelState.drawn) drawn(context, plane, at(modelState.drawn.z), accent, colours);
  const sample = modelState.drawn?.sample && at(modelState.drawn.sample);
  if (sample) ring(context, sample, 4, colours);
  if (state.marked !== null) {
    const { points } = chart;
    ring(context, view.toScreen(points[2 * state.marked] as number, points[2 * state.marked + 1] as number), 7, colours);
  }
  if (plane.cursor) ring(context, view.toScreen(...plane.cursor), 4, colours);
}

interface Inks {
  ink: string;
  ground: string;
}

function polyline(context: CanvasRenderingContext2D, line: readonly Point[], { ink, ground }: Inks, closed: boolean): void {
  context.lineJoin = "round";
  context.beginPath();
  for (const [x, y] of line) context.lineTo(x, y);
  if (closed) context.closePath();
  for (const [width, colour] of [[4, ground], [1.75, ink]] as const) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
  if (closed) {
    context.globalAlpha = 0.08;
    context.fillStyle = ink;
    context.fill();
    context.globalAlpha = 1;
  }
}

function ring(context: CanvasRenderingContext2D, [x, y]: Point, radius: number, { ink, ground }: Inks): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  for (const [width, colour] of [[4, ground], [1.75, ink]] as const) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
}

function cross(context: CanvasRenderingContext2D, [x, y]: Point, { ink, ground }: Inks): void {
  context.beginPath();
  for (const [a, b] of [[6, 0], [0, 6]] as const) {
    context.moveTo(x - a, y - b);
    context.lineTo(x + a, y + b);
  }
  for (const [width, colour] of [[4, ground], [1.75, ink]] as const) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
}

function badge(context: CanvasRenderingContext2D, [x, y]: Point, letter: string, colour: string): void {
  context.beginPath();
  context.arc(x, y, 9, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = "#fff";
  context.stroke();
  context.fillStyle = "#fff";
  context.font = "700 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(letter, x, y + 0.5);
}

/** The code of the drawing, and the ellipse of two standard deviations of its posterior. */
function drawn(context: CanvasRenderingContext2D, { modelState, view }: Plane, at: Point, colour: string, inks: Inks): void {
  if (!modelState.drawn) return;
  const { scale } = modelState.drawn;
  const { model } = modelState;
  if (scale && modelState.chart.key === "plane") {
    // The covariance of the posterior is diagonal in latent space, but not on a rotated plane.
    const [a, b, c] = [0, 0, 0].map((_, k) => {
      let sum = 0;
      for (let i = 0; i < model.d; i++) {
        const first = model.axes[i + (k === 2 ? model.d : 0)] as number;
        const second = model.axes[i + (k === 0 ? 0 : model.d)] as number;
        sum += first * second * (scale[i] as number) ** 2;
      }
      return sum;
    }) as [number, number, number];
    const [middle, spread] = [(a + c) / 2, Math.hypot((a - c) / 2, b)];
    context.beginPath();
    context.ellipse(
      ...at,
      view.length(2 * Math.sqrt(middle + spread)),
      view.length(2 * Math.sqrt(Math.max(0, middle - spread))),
      -0.5 * Math.atan2(2 * b, a - c),
      0,
      2 * Math.PI,
    );
    context.globalAlpha = 0.18;
    context.fillStyle = colour;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.strokeStyle = colour;
    context.stroke();
  }
  context.beginPath();
  context.arc(...at, 6, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = inks.ground;
  context.stroke();
}
