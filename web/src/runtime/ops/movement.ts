/** Operations that only move numbers. */

import { sizeOf } from "../graph";
import { count, counts, fits, input, last, number, places, type Planner, room } from "./plan";

/** Another shape, without a copy. */
export const reshape: Planner = (node, of) => {
  const { data } = input(of, 0);
  fits(data.length === sizeOf(node.shape), "the shape has another number of elements");
  return { data };
};

/** A strided view: an offset, and a stride for each dimension. */
export const strided: Planner = (node, of) => {
  const x = input(of, 0).data;
  const strides = counts(node, "strides");
  const offset = count(node, "offset");
  fits(strides.length === node.shape.length, "a stride is missing");
  const size = sizeOf(node.shape);
  const reach = node.shape.reduce((at, side, d) => at + (side - 1) * strides[d]!, offset);
  fits(size === 0 || (strides.every((s) => s >= 0) && reach < x.length), "it exceeds its input");
  let expected = 1;
  const contiguous = [...node.shape.keys()].reverse().every((d) => {
    const follows = node.shape[d] === 1 || strides[d] === expected;
    expected *= node.shape[d]!;
    return follows;
  });
  if (contiguous) return { data: x.subarray(offset, offset + size) };
  const data = room(node);
  const starts = places(node.shape.slice(0, -1), strides, offset);
  const width = last(node.shape);
  const stride = strides[strides.length - 1] ?? 0;
  const step = (): void => {
    for (let row = 0, i = 0; row < starts.length; row++) {
      for (let j = 0, at = starts[row]!; j < width; j++, i++, at += stride) data[i] = x[at]!;
    }
  };
  return { data, step };
};

/** Concatenates values along an axis. */
export const concat: Planner = (node, of) => {
  const axis = count(node, "axis");
  const data = room(node);
  const inner = sizeOf(node.shape.slice(axis + 1));
  const pitch = (node.shape[axis] ?? 0) * inner;
  const outer = sizeOf(node.shape.slice(0, axis));
  let from = 0;
  const parts = of.map((value) => {
    const width = (value.shape[axis] ?? 0) * inner;
    fits(value.data.length === outer * width, "the parts do not fit");
    const part = { data: value.data, width, from };
    from += width;
    return part;
  });
  fits(from === pitch, "the parts do not fill the result");
  const step = (): void => {
    for (const part of parts) {
      for (let row = 0; row < outer; row++) {
        const at = row * part.width;
        const to = row * pitch + part.from;
        for (let i = 0; i < part.width; i++) data[to + i] = part.data[at + i]!;
      }
    }
  };
  return { data, step };
};

/** Selects entries along an axis by index; the indices may have any shape. */
export const take: Planner = (node, of) => {
  const x = input(of, 0);
  const entries = input(of, 1).data;
  const axis = count(node, "axis");
  const side = x.shape[axis] ?? 0;
  const outer = sizeOf(x.shape.slice(0, axis));
  const inner = sizeOf(x.shape.slice(axis + 1));
  const data = room(node);
  fits(data.length === outer * entries.length * inner, "the result does not fit");
  const step = (): void => {
    for (let row = 0, to = 0; row < outer; row++) {
      for (let j = 0; j < entries.length; j++) {
        const from = (row * side + entries[j]!) * inner;
        for (let i = 0; i < inner; i++, to++) data[to] = x.data[from + i]!;
      }
    }
  };
  return { data, step };
};

/** Pads a value with a number; negative padding cuts it off. */
export const pad: Planner = (node, of) => {
  const x = input(of, 0);
  const before = counts(node, "before");
  const data = room(node).fill(number(node, "value"));
  const { shape } = node;
  fits(before.length === shape.length && x.shape.length === shape.length, "the sides do not fit");
  // The padding is filled once; a run copies only the rows of the value.
  const from: number[] = [];
  const to: number[] = [];
  const first = before.map((space) => Math.max(space, 0));
  const end = shape.map((side, d) => Math.min(side, before[d]! + x.shape[d]!));
  const width = Math.max(0, (end[end.length - 1] ?? 1) - (first[first.length - 1] ?? 0));
  const visit = (d: number, source: number, target: number): void => {
    if (d === shape.length - 1) {
      from.push(source * x.shape[d]! + first[d]! - before[d]!);
      to.push(target * shape[d]! + first[d]!);
      return;
    }
    for (let i = first[d]!; i < end[d]!; i++) {
      visit(d + 1, source * x.shape[d]! + i - before[d]!, target * shape[d]! + i);
    }
  };
  visit(0, 0, 0);
  const step = (): void => {
    for (let row = 0; row < from.length; row++) {
      const [source, target] = [from[row]!, to[row]!];
      for (let i = 0; i < width; i++) data[target + i] = x.data[source + i]!;
    }
  };
  return { data, step };
};
