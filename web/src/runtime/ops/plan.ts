/** What an op is: a function that plans a node once, and a step that computes it often. */

import { type Node, type Shape, sizeOf } from "../graph";

export interface Tensor {
  readonly shape: Shape;
  readonly data: Float32Array;
  /** Is it known when the network is made, and the same for every run? */
  readonly constant: boolean;
}

/** Where a node's numbers will be, and what puts them there; nothing for another view of them. */
export interface Plan {
  readonly data: Float32Array;
  readonly step?: () => void;
}

export type Planner = (node: Node, of: readonly Tensor[]) => Plan;

/** A node that its inputs do not fit; the network names it. */
export class Misfit extends Error {}

export function fits(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Misfit(what);
}

/** A new buffer of the size of a node's result. */
export function room(node: Node): Float32Array {
  return new Float32Array(sizeOf(node.shape));
}

/** The input at that place. */
export function input(of: readonly Tensor[], place: number): Tensor {
  const found = of[place];
  fits(found !== undefined, `it needs ${place + 1} values and takes ${of.length}`);
  return found;
}

export function number(node: Node, name: string): number {
  const found = node.args[name];
  fits(typeof found === "number", `"${name}" is no number`);
  return found;
}

export function count(node: Node, name: string): number {
  const found = number(node, name);
  fits(Number.isSafeInteger(found) && found >= 0, `"${name}" is no count`);
  return found;
}

export function counts(node: Node, name: string): readonly number[] {
  const found = node.args[name];
  fits(Array.isArray(found) && found.every(Number.isSafeInteger), `"${name}" holds no counts`);
  return found;
}

export function pair(node: Node, name: string): readonly [number, number] {
  const [rows, columns] = counts(node, name);
  fits(rows !== undefined && columns !== undefined, `"${name}" holds no pair`);
  return [rows, columns];
}

/** The size of the last dimension; 1 of a single number. */
export function last(shape: Shape): number {
  return shape[shape.length - 1] ?? 1;
}

/** The stride of each dimension of a result in a value that is broadcast to it. */
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

/** Where each entry of a shape lies, for given strides. */
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
