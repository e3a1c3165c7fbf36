/** The backdrop of a plane: a grid of decoded images behind the points. */

import { context2d } from "../dom";
import type { Point } from "../geometry";
import type { Painter } from "../picture";
import type { View } from "./view";

/** Side of one image, CSS pixels. */
const CELL = 34;
/** Milliseconds of work before the browser may paint a frame. */
const MAX_WORK = 8;

export class Backdrop {
  private readonly canvas = document.createElement("canvas");
  private readonly context = context2d(this.canvas);
  private low: Point = [0, 0];
  private high: Point = [0, 0];
  private inverted: HTMLCanvasElement | null = null;
  private job = 0;
  private filled = false;

  constructor(
    private readonly painter: Painter,
    /** The decoded image at a position of the plane; null if there is none. */
    private readonly decode: (x: number, y: number) => Float32Array | null,
    private readonly changed: () => void,
  ) {}

  /** Clears the backdrop. */
  clear(): void {
    this.job++;
    this.filled = false;
  }

  /** Decodes the visible part of the plane in steps, from the centre outwards. */
  fill(view: View): void {
    const job = ++this.job;
    const cells = Math.max(4, Math.round(view.side / CELL));
    const { low, high } = view.bounds;
    const [width, height] = [this.painter.width, this.painter.height];
    const fresh = document.createElement("canvas");
    fresh.width = cells * width;
    fresh.height = cells * height;
    const context = context2d(fresh);
    const positions = Array.from({ length: cells * cells }, (_, i) => [i % cells, Math.floor(i / cells)] as Point);
    const middle = (cells - 1) / 2;
    const distance = ([x, y]: Point): number => Math.max(Math.abs(x - middle), Math.abs(y - middle));
    positions.sort((a, b) => distance(a) - distance(b));
    let next = 0;
    const work = (): void => {
      if (job !== this.job) return;
      const until = performance.now() + MAX_WORK;
      while (next < positions.length && performance.now() < until) {
        const [column, row] = positions[next++] as Point;
        const x = low[0] + ((column + 0.5) / cells) * (high[0] - low[0]);
        const y = high[1] - ((row + 0.5) / cells) * (high[1] - low[1]);
        const image = this.decode(x, y);
        if (image) this.painter.paint(context, image, column * width, row * height);
      }
      if (next < positions.length) {
        requestAnimationFrame(work);
        return;
      }
      this.canvas.width = fresh.width;
      this.canvas.height = fresh.height;
      this.context.drawImage(fresh, 0, 0);
      this.inverted = null;
      [this.low, this.high, this.filled] = [low, high, true];
      this.changed();
    };
    work();
  }

  /**
   * Draws the decoded images at their positions, also while the view moves; `inverted` swaps black
   * and white for a light background.
   */
  draw(into: CanvasRenderingContext2D, view: View, inverted: boolean): void {
    if (!this.filled) return;
    const [left, top] = view.toScreen(this.low[0], this.high[1]);
    const [right, bottom] = view.toScreen(this.high[0], this.low[1]);
    into.imageSmoothingEnabled = true;
    into.drawImage(inverted ? this.inverse() : this.canvas, left, top, right - left, bottom - top);
  }

  private inverse(): HTMLCanvasElement {
    if (!this.inverted) {
      this.inverted = document.createElement("canvas");
      this.inverted.width = this.canvas.width;
      this.inverted.height = this.canvas.height;
      const context = context2d(this.inverted);
      context.fillStyle = "#fff";
      context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      context.globalCompositeOperation = "difference";
      context.drawImage(this.canvas, 0, 0);
    }
    return this.inverted;
  }
}
