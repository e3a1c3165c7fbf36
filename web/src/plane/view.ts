/** The part of a plane that is seen: the way between places of the plane and pixels. */

import type { Point } from "../geometry";

/** Room around the points when all are shown, as a share of their extent. */
const ROOM = 0.06;
/** How far one may go in, and out, from all points. */
const DEEPEST = 400;
const WIDEST = 0.2;

export class View {
  /** Pixels per unit. */
  private scale = 1;
  private whole = 1;
  private x = 0;
  private y = 0;

  constructor(
    /** Side of the square seen, CSS pixels. */
    public side: number,
  ) {}

  /** Shows all of these points [N, 2]. */
  fit(points: Float32Array): void {
    const low = [Infinity, Infinity] as [number, number];
    const high = [-Infinity, -Infinity] as [number, number];
    for (let i = 0; i < points.length; i++) {
      const axis = (i & 1) as 0 | 1;
      low[axis] = Math.min(low[axis], points[i] as number);
      high[axis] = Math.max(high[axis], points[i] as number);
    }
    const extent = Math.max(high[0] - low[0], high[1] - low[1]) || 1;
    this.x = (low[0] + high[0]) / 2;
    this.y = (low[1] + high[1]) / 2;
    this.whole = this.scale = this.side / (extent * (1 + 2 * ROOM));
  }

  /** Takes the size of the square, keeping what it shows. */
  resize(side: number): void {
    this.scale *= side / this.side;
    this.whole *= side / this.side;
    this.side = side;
  }

  toScreen(x: number, y: number): Point {
    return [this.side / 2 + (x - this.x) * this.scale, this.side / 2 - (y - this.y) * this.scale];
  }

  toPlane(px: number, py: number): Point {
    return [this.x + (px - this.side / 2) / this.scale, this.y - (py - this.side / 2) / this.scale];
  }

  /** A length of the plane in pixels. */
  length(of: number): number {
    return of * this.scale;
  }

  /** Moves what is seen by so many pixels. */
  pan(px: number, py: number): void {
    this.x -= px / this.scale;
    this.y += py / this.scale;
  }

  /** Goes in by a factor, the place under a pixel staying where it is. */
  zoom(factor: number, px = this.side / 2, py = this.side / 2): void {
    const [x, y] = this.toPlane(px, py);
    this.scale = Math.min(DEEPEST * this.whole, Math.max(WIDEST * this.whole, this.scale * factor));
    const [nowX, nowY] = this.toPlane(px, py);
    this.x += x - nowX;
    this.y += y - nowY;
  }

  /** Lowest and highest places seen. */
  get seen(): { low: Point; high: Point } {
    const [left, top] = this.toPlane(0, 0);
    const [right, bottom] = this.toPlane(this.side, this.side);
    return { low: [left, bottom], high: [right, top] };
  }

  /** Middle and magnification, for an address. */
  get state(): [x: number, y: number, zoom: number] {
    return [this.x, this.y, this.scale / this.whole];
  }

  set state([x, y, zoom]: readonly [number, number, number]) {
    if (![x, y, zoom].every(Number.isFinite) || zoom <= 0) return;
    [this.x, this.y] = [x, y];
    this.scale = this.whole * Math.min(DEEPEST, Math.max(WIDEST, zoom));
  }
}
