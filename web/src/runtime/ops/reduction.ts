/** Operations that reduce a run of consecutive numbers, or select from it. */

import type { Node } from "../graph";
import { count, fits, input, number, type Planner, room } from "./plan";

/** Reduces `size` numbers that begin at `from`. */
type Reduction = (x: Float32Array, from: number, size: number) => number;

function sum(x: Float32Array, from: number, size: number): number {
  let total = 0;
  for (let i = from; i < from + size; i++) total += x[i]!;
  return total;
}

function extreme(sign: number): Reduction {
  return (x, from, size) => {
    let place = 0;
    for (let i = 1; i < size; i++) if (sign * x[from + i]! > sign * x[from + place]!) place = i;
    return place;
  };
}

const highest = extreme(1);
const lowest = extreme(-1);

const reductions: Readonly<Record<string, Reduction>> = {
  sum,
  mean: (x, from, size) => sum(x, from, size) / size,
  prod: (x, from, size) => {
    let product = 1;
    for (let i = from; i < from + size; i++) product *= x[i]!;
    return product;
  },
  argmax: highest,
  argmin: lowest,
  max: (x, from, size) => x[from + highest(x, from, size)]!,
  min: (x, from, size) => x[from + lowest(x, from, size)]!,
};

export const reduce: Planner = (node, of) => {
  const x = input(of, 0).data;
  const size = count(node, "size");
  const name = String(node.args["name"]);
  const f = Object.hasOwn(reductions, name) ? reductions[name] : undefined;
  fits(f !== undefined, `there is no reduction "${name}"`);
  const data = room(node);
  fits(data.length * size === x.length, "the result does not fit");
  const step = (): void => {
    for (let i = 0; i < data.length; i++) data[i] = f(x, i * size, size);
  };
  return { data, step };
};

/** Standardises each run: subtracts its mean (if centred), divides by its root mean square. */
export const standardize: Planner = (node, of) => {
  const x = input(of, 0).data;
  const size = count(node, "size");
  const eps = number(node, "eps");
  const center = node.args["center"] !== false;
  const data = room(node);
  fits(data.length === x.length && x.length % size === 0, "the result does not fit");
  const step = (): void => {
    for (let from = 0; from < x.length; from += size) {
      const mean = center ? sum(x, from, size) / size : 0;
      let square = 0;
      for (let i = from; i < from + size; i++) square += (x[i]! - mean) ** 2;
      const scale = 1 / Math.sqrt(square / size + eps);
      for (let i = from; i < from + size; i++) data[i] = (x[i]! - mean) * scale;
    }
  };
  return { data, step };
};

/** The k largest or smallest numbers of each run in order, or their indices. */
export const topk: Planner = (node, of) => {
  const x = input(of, 0).data;
  const size = count(node, "size");
  const k = count(node, "k");
  const sign = node.args["largest"] === false ? -1 : 1;
  const indices = node.args["part"] === "indices";
  const data = room(node);
  fits(k <= size && data.length * size === x.length * k, "the result does not fit");
  const order = new Int32Array(size);
  const step = (): void => {
    for (let from = 0, to = 0; from < x.length; from += size, to += k) {
      for (let i = 0; i < size; i++) order[i] = i;
      order.sort((i, j) => sign * (x[from + j]! - x[from + i]!));
      for (let i = 0; i < k; i++) data[to + i] = indices ? order[i]! : x[from + order[i]!]!;
    }
  };
  return { data, step };
};

/** A value with numbers replaced at indices of each run. */
export const scatter: Planner = (node, of) => {
  const [x, indices, numbers] = [0, 1, 2].map((place) => input(of, place).data) as Three;
  const { size, many } = runs(node, x, indices);
  const data = room(node);
  fits(numbers.length === indices.length && data.length === x.length, "the numbers do not fit");
  const step = (): void => {
    data.set(x);
    for (let i = 0; i < indices.length; i++) {
      data[Math.floor(i / many) * size + indices[i]!] = numbers[i]!;
    }
  };
  return { data, step };
};

/** The numbers at indices of each run. */
export const gather: Planner = (node, of) => {
  const [x, indices] = [input(of, 0).data, input(of, 1).data];
  const { size, many } = runs(node, x, indices);
  const data = room(node);
  fits(data.length === indices.length, "the result does not fit");
  const step = (): void => {
    for (let i = 0; i < indices.length; i++) {
      data[i] = x[Math.floor(i / many) * size + indices[i]!]!;
    }
  };
  return { data, step };
};

type Three = [Float32Array, Float32Array, Float32Array];

function runs(
  node: Node,
  x: Float32Array,
  indices: Float32Array,
): { size: number; many: number } {
  const size = count(node, "size");
  const many = count(node, "count");
  fits(x.length * many === indices.length * size, "the indices do not fit");
  return { size, many };
}
