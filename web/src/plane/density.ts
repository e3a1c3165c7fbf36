/** The density of points as shades; empty regions keep the colour of the background. */

import type { View } from "./view";

const CELLS = 96;

/** Paints the density of points [N, 2] in the view into a small canvas, which is then enlarged. */
export function drawDensity(points: Float32Array, view: View, into: CanvasRenderingContext2D, rgb: readonly number[]): void {
  const counts = new Float32Array(CELLS * CELLS);
  for (let i = 0; i < points.length; i += 2) {
    const [px, py] = view.toScreen(points[i] as number, points[i + 1] as number);
    const [x, y] = [Math.floor((px / view.side) * CELLS), Math.floor((py / view.side) * CELLS)];
    if (x >= 0 && y >= 0 && x < CELLS && y < CELLS) counts[y * CELLS + x] = (counts[y * CELLS + x] as number) + 1;
  }
  // Three box filters approximate a Gaussian kernel.
  let smooth = counts;
  for (let pass = 0; pass < 3; pass++) smooth = mean(mean(smooth, 1), CELLS);
  const most = smooth.reduce((a, b) => Math.max(a, b), 0) || 1;
  const image = new ImageData(CELLS, CELLS);
  smooth.forEach((value, i) => {
    image.data.set(rgb, 4 * i);
    // The square root makes sparse regions visible.
    image.data[4 * i + 3] = 200 * Math.sqrt(value / most);
  });
  into.canvas.width = into.canvas.height = CELLS;
  into.putImageData(image, 0, 0);
}

/** A box filter: the mean of each cell and its two neighbours along one axis. */
function mean(values: Float32Array, step: number): Float32Array<ArrayBuffer> {
  return new Float32Array(values.length).map((_, i) => {
    const place = step === 1 ? i % CELLS : Math.floor(i / CELLS);
    const before = place > 0 ? (values[i - step] as number) : 0;
    const after = place < CELLS - 1 ? (values[i + step] as number) : 0;
    return (before + (values[i] as number) + after) / 3;
  });
}
