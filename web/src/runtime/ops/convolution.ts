/** Convolutions as matrix products, one row of the image at a time, which fits the cache. */

import type { Node } from "../graph";
import { count, fits, input, pair, type Plan, type Planner, room, type Tensor } from "./plan";
import { product, transpose } from "./product";

interface Geometry {
  readonly high: number;
  readonly wide: number;
  readonly newHigh: number;
  readonly newWide: number;
  readonly kernelHigh: number;
  readonly kernelWide: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly padY: number;
  readonly padX: number;
  readonly stepY: number;
  readonly stepX: number;
}

function geometry(node: Node, x: Tensor, weight: Tensor): Geometry {
  const [, , kernelHigh, kernelWide] = weight.shape;
  const [, , high, wide] = x.shape;
  const [, , newHigh, newWide] = node.shape;
  fits(
    kernelHigh !== undefined && kernelWide !== undefined && high !== undefined &&
      wide !== undefined && newHigh !== undefined && newWide !== undefined && weight.constant,
    "it is not a convolution of an image with a constant kernel",
  );
  const [strideY, strideX] = pair(node, "stride");
  const [padY, padX] = pair(node, "padding");
  const [stepY, stepX] = pair(node, "dilation");
  return {
    high, wide, newHigh, newWide, kernelHigh, kernelWide,
    strideY, strideX, padY, padX, stepY, stepX,
  };
}

/** The range of outputs along a row, end excluded, for which a kernel tap lies inside the image. */
function tapRange(
  tap: number,
  stride: number,
  pad: number,
  step: number,
  side: number,
  newSide: number,
): readonly [number, number] {
  const shift = tap * step - pad;
  const first = Math.max(0, Math.ceil(-shift / stride));
  return [first, Math.max(first, Math.min(newSide, Math.floor((side - 1 - shift) / stride) + 1))];
}

/** x [n, channels, high, wide], W [outputs, channels / groups, kernel], b [outputs]. */
export const conv2d: Planner = (node, of) => {
  const x = input(of, 0);
  const weight = input(of, 1);
  const g = geometry(node, x, weight);
  const groups = count(node, "groups");
  const outputs = weight.shape[0]! / groups;
  const channels = weight.shape[1]!;
  const images = x.shape[0]!;
  fits(x.shape[1] === channels * groups, "the channels do not fit");
  const k = channels * g.kernelHigh * g.kernelWide;
  const area = g.high * g.wide;
  const newArea = g.newHigh * g.newWide;
  const data = room(node);
  fits(data.length === images * groups * outputs * newArea, "the result does not fit");
  const columns = Array.from({ length: g.kernelWide }, (_, tap) =>
    tapRange(tap, g.strideX, g.padX, g.stepX, g.wide, g.newWide),
  );
  // The patch of the image under the kernel at each position of a row; outside the image it is 0.
  const patches = new Float32Array(g.newWide * k);
  const gatherRow = (from: number, row: number): void => {
    let p = 0;
    for (let c = 0; c < channels; c++) {
      for (let ky = 0; ky < g.kernelHigh; ky++) {
        const y = row * g.strideY + ky * g.stepY - g.padY;
        const inside = y >= 0 && y < g.high;
        for (let kx = 0; kx < g.kernelWide; kx++, p++) {
          const [first, end] = columns[kx]!;
          let at = from + c * area + y * g.wide + first * g.strideX + kx * g.stepX - g.padX;
          for (let column = first, to = first * k + p; column < end; column++, to += k) {
            patches[to] = inside ? x.data[at]! : 0;
            at += g.strideX;
          }
        }
      }
    }
  };
  const step = (): void => {
    for (let part = 0; part < images * groups; part++) {
      const kernel = (part % groups) * outputs * k;
      for (let row = 0; row < g.newHigh; row++) {
        gatherRow(part * channels * area, row);
        const to = part * outputs * newArea + row * g.newWide;
        product(weight.data, kernel, patches, 0, data, to, newArea, outputs, g.newWide, k);
      }
    }
    addToMaps(data, of[2], newArea);
  };
  return withBias(of[2], groups * outputs, { data, step });
};

// Output channels of a transposed convolution that are computed at once.
const TOGETHER = 4;

/** x [n, channels, high, wide], W [channels, outputs / groups, kernel], b [outputs]. */
export const convTranspose2d: Planner = (node, of) => {
  const x = input(of, 0);
  const weight = input(of, 1);
  const g = geometry(node, x, weight);
  const groups = count(node, "groups");
  const channels = weight.shape[0]! / groups;
  const outputs = weight.shape[1]!;
  const images = x.shape[0]!;
  fits(x.shape[1] === channels * groups, "the channels do not fit");
  const taps = g.kernelHigh * g.kernelWide;
  const area = g.high * g.wide;
  const newArea = g.newHigh * g.newWide;
  const data = room(node);
  fits(data.length === images * groups * outputs * newArea, "the result does not fit");
  const kernels = new Float32Array(weight.data.length);
  for (let group = 0; group < groups; group++) {
    const from = group * channels * outputs * taps;
    transpose(weight.data, from, kernels.subarray(from), channels, outputs * taps);
  }
  const pixels = new Float32Array(area * channels);
  const spread = new Float32Array(TOGETHER * taps * area);
  // Compared with `conv2d`, image and result are swapped.
  const rows = Array.from({ length: g.kernelHigh }, (_, tap) =>
    tapRange(tap, g.strideY, g.padY, g.stepY, g.newHigh, g.high),
  );
  const columns = Array.from({ length: g.kernelWide }, (_, tap) =>
    tapRange(tap, g.strideX, g.padX, g.stepX, g.newWide, g.wide),
  );
  const gather = (from: number, to: number): void => {
    for (let ky = 0, at = from; ky < g.kernelHigh; ky++) {
      for (let kx = 0; kx < g.kernelWide; kx++, at += area) {
        const [top, bottom] = rows[ky]!;
        const [left, right] = columns[kx]!;
        for (let y = top; y < bottom; y++) {
          const line = at + y * g.wide;
          let place = to + (y * g.strideY + ky * g.stepY - g.padY) * g.newWide;
          place += left * g.strideX + kx * g.stepX - g.padX;
          for (let column = left; column < right; column++, place += g.strideX) {
            data[place] = data[place]! + spread[line + column]!;
          }
        }
      }
    }
  };
  const step = (): void => {
    data.fill(0);
    for (let part = 0; part < images * groups; part++) {
      transpose(x.data, part * channels * area, pixels, channels, area);
      const group = (part % groups) * outputs * taps * channels;
      for (let first = 0; first < outputs; first += TOGETHER) {
        const many = Math.min(TOGETHER, outputs - first);
        const from = group + first * taps * channels;
        product(kernels, from, pixels, 0, spread, 0, area, many * taps, area, channels);
        for (let i = 0; i < many; i++) {
          gather(i * taps * area, (part * outputs + first + i) * newArea);
        }
      }
    }
    addToMaps(data, of[2], newArea);
  };
  return withBias(of[2], groups * outputs, { data, step });
};

function withBias(bias: Tensor | undefined, outputs: number, plan: Plan): Plan {
  fits(bias === undefined || bias.data.length === outputs, "the bias does not fit");
  return plan;
}

function addToMaps(data: Float32Array, bias: Tensor | undefined, area: number): void {
  if (bias === undefined) return;
  for (let map = 0; map * area < data.length; map++) {
    const b = bias.data[map % bias.data.length]!;
    for (let i = map * area; i < (map + 1) * area; i++) data[i] = data[i]! + b;
  }
}
