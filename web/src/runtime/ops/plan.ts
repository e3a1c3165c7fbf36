/** An operation is a function that plans a node once and returns a step that computes it. */

import { type Node, type Shape, sizeOf } from "../graph";

export interface Tensor {
  readonly shape: Shape;
  readonly data: Float32Array;
  /** Whether it is the same for every run. */
  readonly constant: boolean;
}

/** The buffer of a result and the step that fills it; no step if it is a view of another value. */
export interface Plan {
  readonly data: Float32Array;
  readonly step?: () => void;
}

export type Planner = (node: Node, of: readonly Tensor[]) => Plan;

/** A node does not fit its inputs; the network adds its name. */
export class Misfit extends Error {}

export function fits(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Misfit(what);
}

/** A new buffer for the result of a node. */
export function room(node: Node): Float32Array {
  return new Float32Array(sizeOf(node.shape));
}

/** An input of a node by its position. */
export function input(of: readonly Tensor[], place: number): Tensor {
  const found = of[place];
  fits(found !== undefined, `it needs ${place + 1} inputs and has ${of.length}`);
  return found;
}

export function number(node: Node, name: string): number {
  const found = node.args[name];
  fits(typeof found === "number", `"${name}" is not a number`);
  return found;
}

export function count(node: Node, name: string): number {
  const found = number(node, name);
  fits(Number.isSafeInteger(found) && found >= 0, `"${name}" is not a count`);
  return found;
}

export function counts(node: Node, name: string): readonly number[] {
  const found = node.args[name];
  fits(Array.isArray(found) && found.every(Number.isSafeInteger), `"${name}" is not a list of counts`);
  return found;
}

export function pair(node: Node, name: string): readonly [number, number] {
  const [rows, columns] = counts(node, name);
  fits(rows !== undefined && columns !== undefined, `"${name}" is not a pair`);
  return [rows, columns];
}

/** The size of the last dimension; 1 for a scalar. */
export function last(shape: Shape): number {
  return shape[shape.length - 1] ?? 1;
}

/** The strides of a value that is broadcast to the shape of a result. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const strides = new Array<number>(to.length).fill(0);
  const lead = to.length - shape.length;
  fits(lead >= 0, "a value has more dimensions than the result");
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    const side = shape[d]!;
    fits(side === 1 || side === to[lead + d], "shapes cannot be broadcast");
    strides[lead + d] = side === 1 ? 0 : stride;
    stride *= side;
  }
  return strides;
}

/** The position in memory of every entry of a shape, for given strides. */
export function places(
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): Int32Array {
  const found = new Int32Array(sizeOf(shape)).fill(offset);
  let repeat = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    const side = shape[d]!;
    for (let i = 0; i < found.length; i++) {
      found[i]! += (Math.floor(i / repeat) % side) * strides[d]!;
    }
    repeat *= side;
  }
  return found;
}
