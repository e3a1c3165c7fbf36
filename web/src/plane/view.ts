/** The visible part of a plane: maps between plane coordinates and pixels. */

import type { Point } from "../geometry";

/** The margin around all points, as a share of their extent. */
const MARGIN = 0.06;
/** The limits of the zoom, relative to the view of all points. */
const MAX_ZOOM = 400;
const MIN_ZOOM = 0.2;

export class View {
  /** Pixels per unit. */
  private scale = 1;
  private fitted = 1;
  private x = 0;
  private y = 0;

  constructor(
    /** Side of the view, CSS pixels. */
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
    this.fitted = this.scale = this.side / (extent * (1 + 2 * MARGIN));
  }

  /** Sets the side, and keeps the visible part. */
  resize(side: number): void {
    this.scale *= side / this.side;
    this.fitted *= side / this.side;
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

  /** Moves the view by pixels. */
  pan(px: number, py: number): void {
    this.x -= px / this.scale;
    this.y += py / this.scale;
  }

  /** Zooms by a factor around a pixel. */
  zoom(factor: number, px = this.side / 2, py = this.side / 2): void {
    const [x, y] = this.toPlane(px, py);
    this.scale = Math.min(MAX_ZOOM * this.fitted, Math.max(MIN_ZOOM * this.fitted, this.scale * factor));
    const [nowX, nowY] = this.toPlane(px, py);
    this.x += x - nowX;
    this.y += y - nowY;
  }

  /** The lowest and the highest visible coordinates. */
  get bounds(): { low: Point; high: Point } {
    const [left, top] = this.toPlane(0, 0);
    const [right, bottom] = this.toPlane(this.side, this.side);
    return { low: [left, bottom], high: [right, top] };
  }

  /** Centre and zoom, for the address of the page. */
  get state(): [x: number, y: number, zoom: number] {
    return [this.x, this.y, this.scale / this.fitted];
  }

  set state([x, y, zoom]: readonly [number, number, number]) {
    if (![x, y, zoom].every(Number.isFinite) || zoom <= 0) return;
    [this.x, this.y] = [x, y];
    this.scale = this.fitted * Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, zoom));
  }
}
