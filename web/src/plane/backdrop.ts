/** What the codes of a plane decode to, as a lattice of pictures behind the points. */

import { pen } from "../dom";
import type { Point } from "../geometry";
import type { Painter } from "../picture";
import type { View } from "./view";

/** Side of one picture, CSS pixels. */
const CELL = 34;
/** Milliseconds of work before the screen gets its turn. */
const TURN = 8;

export class Backdrop {
  private readonly canvas = document.createElement("canvas");
  private readonly context = pen(this.canvas);
  private low: Point = [0, 0];
  private high: Point = [0, 0];
  private inverted: HTMLCanvasElement | null = null;
  private job = 0;
  private filled = false;

  constructor(
    private readonly painter: Painter,
    /** The image at a place of the plane; null where there is none. */
    private readonly decode: (x: number, y: number) => Float32Array | null,
    private readonly changed: () => void,
  ) {}

  /** Forgets what was drawn. */
  clear(): void {
    this.job++;
    this.filled = false;
  }

  /** Decodes all that the view shows, some pictures at a time, from the middle outwards. */
  fill(view: View): void {
    const job = ++this.job;
    const cells = Math.max(4, Math.round(view.side / CELL));
    const { low, high } = view.seen;
    const [width, height] = [this.painter.width, this.painter.height];
    const fresh = document.createElement("canvas");
    fresh.width = cells * width;
    fresh.height = cells * height;
    const context = pen(fresh);
    const places = Array.from({ length: cells * cells }, (_, i) => [i % cells, Math.floor(i / cells)] as Point);
    const middle = (cells - 1) / 2;
    const far = ([x, y]: Point): number => Math.max(Math.abs(x - middle), Math.abs(y - middle));
    places.sort((a, b) => far(a) - far(b));
    let next = 0;
    const turn = (): void => {
      if (job !== this.job) return;
      const until = performance.now() + TURN;
      while (next < places.length && performance.now() < until) {
        const [column, row] = places[next++] as Point;
        const x = low[0] + ((column + 0.5) / cells) * (high[0] - low[0]);
        const y = high[1] - ((row + 0.5) / cells) * (high[1] - low[1]);
        const image = this.decode(x, y);
        if (image) this.painter.paint(context, image, column * width, row * height);
      }
      if (next < places.length) {
        requestAnimationFrame(turn);
        return;
      }
      this.canvas.width = fresh.width;
      this.canvas.height = fresh.height;
      this.context.drawImage(fresh, 0, 0);
      this.inverted = null;
      [this.low, this.high, this.filled] = [low, high, true];
      this.changed();
    };
    turn();
  }

  /**
   * Draws what is decoded where it belongs, even while the view moves on; `inverted`, black as
   * white, where the ground is light.
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
      const context = pen(this.inverted);
      context.fillStyle = "#fff";
      context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      context.globalCompositeOperation = "difference";
      context.drawImage(this.canvas, 0, 0);
    }
    return this.inverted;
  }
}
