/** Ops that make one number of a stretch of memory, or choose from it. */

import type { Node } from "../graph";
import { count, fits, input, number, type Planner, room } from "./plan";

/** One number of `size` numbers from `from` on. */
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

/** Each stretch less its mean (where it is centred), divided by the root of its mean square. */
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

/** The k largest or smallest numbers of each stretch in their order, or their places. */
export const topk: Planner = (node, of) => {
  const x = input(of, 0).data;
  const size = count(node, "size");
  const k = count(node, "k");
  const sign = node.args["largest"] === false ? -1 : 1;
  const places = node.args["part"] === "places";
  const data = room(node);
  fits(k <= size && data.length * size === x.length * k, "the result does not fit");
  const order = new Int32Array(size);
  const step = (): void => {
    for (let from = 0, to = 0; from < x.length; from += size, to += k) {
      for (let i = 0; i < size; i++) order[i] = i;
      order.sort((i, j) => sign * (x[from + j]! - x[from + i]!));
      for (let i = 0; i < k; i++) data[to + i] = places ? order[i]! : x[from + order[i]!]!;
    }
  };
  return { data, step };
};

/** A value with numbers put at places of each stretch. */
export const scatter: Planner = (node, of) => {
  const [x, places, numbers] = [0, 1, 2].map((place) => input(of, place).data) as Three;
  const { size, many } = stretches(node, x, places);
  const data = room(node);
  fits(numbers.length === places.length && data.length === x.length, "the numbers do not fit");
  const step = (): void => {
    data.set(x);
    for (let i = 0; i < places.length; i++) {
      data[Math.floor(i / many) * size + places[i]!] = numbers[i]!;
    }
  };
  return { data, step };
};

/** The numbers at places of each stretch. */
export const gather: Planner = (node, of) => {
  const [x, places] = [input(of, 0).data, input(of, 1).data];
  const { size, many } = stretches(node, x, places);
  const data = room(node);
  fits(data.length === places.length, "the result does not fit");
  const step = (): void => {
    for (let i = 0; i < places.length; i++) {
      data[i] = x[Math.floor(i / many) * size + places[i]!]!;
    }
  };
  return { data, step };
};

type Three = [Float32Array, Float32Array, Float32Array];

function stretches(
  node: Node,
  x: Float32Array,
  places: Float32Array,
): { size: number; many: number } {
  const size = count(node, "size");
  const many = count(node, "count");
  fits(x.length * many === places.length * size, "the places do not fit");
  return { size, many };
}
