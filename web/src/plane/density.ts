/** How densely points lie, as shades: gaps stay the colour of the ground. */

import type { View } from "./view";

const CELLS = 96;

/** Paints the density of points [N, 2] over the view's square into a small canvas, to be enlarged. */
export function drawDensity(points: Float32Array, view: View, into: CanvasRenderingContext2D, rgb: readonly number[]): void {
  const counts = new Float32Array(CELLS * CELLS);
  for (let i = 0; i < points.length; i += 2) {
    const [px, py] = view.toScreen(points[i] as number, points[i + 1] as number);
    const [x, y] = [Math.floor((px / view.side) * CELLS), Math.floor((py / view.side) * CELLS)];
    if (x >= 0 && y >= 0 && x < CELLS && y < CELLS) counts[y * CELLS + x] = (counts[y * CELLS + x] as number) + 1;
  }
  // Three means in a row are nearly a normal kernel.
  let smooth = counts;
  for (let pass = 0; pass < 3; pass++) smooth = mean(mean(smooth, 1), CELLS);
  const most = smooth.reduce((a, b) => Math.max(a, b), 0) || 1;
  const image = new ImageData(CELLS, CELLS);
  smooth.forEach((value, i) => {
    image.data.set(rgb, 4 * i);
    // The root keeps thin regions apart from empty ones.
    image.data[4 * i + 3] = 200 * Math.sqrt(value / most);
  });
  into.canvas.width = into.canvas.height = CELLS;
  into.putImageData(image, 0, 0);
}

/** The mean of each cell and its two neighbours along one axis. */
function mean(values: Float32Array, step: number): Float32Array<ArrayBuffer> {
  return new Float32Array(values.length).map((_, i) => {
    const place = step === 1 ? i % CELLS : Math.floor(i / CELLS);
    const before = place > 0 ? (values[i - step] as number) : 0;
    const after = place < CELLS - 1 ? (values[i + step] as number) : 0;
    return (before + (values[i] as number) + after) / 3;
  });
}
