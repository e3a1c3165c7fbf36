/** Elementwise operations. */

import type { Shape } from "../graph";
import { binaryFunction, unaryFunction } from "./functions";
import { broadcastStrides, fits, input, last, places, type Planner, room } from "./plan";

export const unary: Planner = (node, of) => {
  const x = input(of, 0).data;
  const data = room(node);
  fits(x.length === data.length, "the result does not fit");
  const { name, ...params } = node.args;
  // The most frequent one is written out, because JavaScript inlines no function that varies.
  if (name === "relu") {
    const step = (): void => {
      for (let i = 0; i < x.length; i++) data[i] = x[i]! < 0 ? 0 : x[i]!;
    };
    return { data, step };
  }
  const f = unaryFunction(String(name), params as Record<string, number>);
  fits(f !== undefined, `there is no function "${String(name)}"`);
  const step = (): void => {
    for (let i = 0; i < x.length; i++) data[i] = f(x[i]!);
  };
  return { data, step };
};

export const binary: Planner = (node, of) => {
  const name = String(node.args["name"]);
  const f = binaryFunction(name);
  fits(f !== undefined, `there is no function "${name}"`);
  const a = input(of, 0);
  const b = input(of, 1);
  const data = room(node);
  const [x, y] = [a.data, b.data];
  const [xs, ys] = [rows(a.shape, node.shape), rows(b.shape, node.shape)];
  const [dx, dy] = [xs.step, ys.step];
  const width = last(node.shape);
  const step = (): void => {
    for (let row = 0, i = 0; i < data.length; row++) {
      let p = xs.starts[row]!;
      let q = ys.starts[row]!;
      const end = i + width;
      // Written out, because JavaScript inlines no function that varies.
      if (name === "add") for (; i < end; i++, p += dx, q += dy) data[i] = x[p]! + y[q]!;
      else if (name === "mul") for (; i < end; i++, p += dx, q += dy) data[i] = x[p]! * y[q]!;
      else for (; i < end; i++, p += dx, q += dy) data[i] = f(x[p]!, y[q]!);
    }
  };
  return { data, step };
};

/** The second value where the first is not 0, else the third. */
export const where: Planner = (node, of) => {
  const data = room(node);
  const [c, a, b] = [0, 1, 2].map((place) => {
    const value = input(of, place);
    return { data: value.data, ...rows(value.shape, node.shape) };
  }) as [Rows, Rows, Rows];
  const width = last(node.shape);
  const step = (): void => {
    for (let i = 0; i < data.length; i++) {
      const row = Math.floor(i / width);
      const column = i - row * width;
      const from = c.data[c.starts[row]! + column * c.step] !== 0 ? a : b;
      data[i] = from.data[from.starts[row]! + column * from.step]!;
    }
  };
  return { data, step };
};

interface Rows {
  readonly data: Float32Array;
  readonly starts: Int32Array;
  readonly step: number;
}

/** The start of each row of a result in a value broadcast to it, and the stride within a row. */
function rows(shape: Shape, to: Shape): { starts: Int32Array; step: number } {
  const strides = broadcastStrides(shape, to);
  const starts = places(to.slice(0, -1), strides);
  return { starts, step: strides[strides.length - 1] ?? 0 };
}
