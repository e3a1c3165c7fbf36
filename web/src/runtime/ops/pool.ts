/** Pooling. */

import { sizeOf } from "../graph";
import { fits, input, pair, type Planner, room } from "./plan";

/** The maximum or the mean of each window. */
export const pool: Planner = (node, of) => {
  const x = input(of, 0);
  const [high = 0, wide = 0] = x.shape.slice(-2);
  const [newHigh = 0, newWide = 0] = node.shape.slice(-2);
  const maps = sizeOf(node.shape.slice(0, -2));
  const data = room(node);
  fits(x.data.length === maps * high * wide, "the result does not fit");
  const [kernelHigh, kernelWide] = pair(node, "kernel");
  const [strideY, strideX] = pair(node, "stride");
  const [padY, padX] = pair(node, "padding");
  const [stepY, stepX] = pair(node, "dilation");
  const mean = node.args["name"] === "mean";
  const countPadding = node.args["count_padding"] === true;

  const window = (map: number, row: number, column: number): number => {
    const top = row * strideY - padY;
    const left = column * strideX - padX;
    let total = 0;
    let largest = -Infinity;
    let inside = 0;
    for (let ky = 0; ky < kernelHigh; ky++) {
      const y = top + ky * stepY;
      if (y < 0 || y >= high) continue;
      for (let kx = 0; kx < kernelWide; kx++) {
        const at = left + kx * stepX;
        if (at < 0 || at >= wide) continue;
        const found = x.data[(map * high + y) * wide + at]!;
        total += found;
        if (found > largest) largest = found;
        inside++;
      }
    }
    if (!mean) return largest;
    // A window may extend beyond the padding; positions there never count.
    const rows = Math.min(top + kernelHigh, high + padY) - top;
    const columns = Math.min(left + kernelWide, wide + padX) - left;
    return total / (countPadding ? rows * columns : inside);
  };
  const step = (): void => {
    for (let map = 0, i = 0; map < maps; map++) {
      for (let row = 0; row < newHigh; row++) {
        for (let column = 0; column < newWide; column++, i++) data[i] = window(map, row, column);
      }
    }
  };
  return { data, step };
};
