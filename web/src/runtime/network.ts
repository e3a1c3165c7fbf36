/** A network that runs in the page: planned once, computed many times. */

import { type Constant, type Graph, type Input, type Shape, sizeOf } from "./graph";
import { fromHalf } from "./half";
import { ops } from "./ops/index";
import { Misfit, type Tensor } from "./ops/plan";

export interface Output {
  readonly shape: Shape;
  readonly size: number;
}

/**
 * A network in single precision.
 *
 * All memory is allocated by the constructor; a run allocates none, so that it can follow a mouse.
 */
export class Network {
  readonly inputs: readonly (Input & { readonly size: number })[];
  readonly outputs: readonly Output[];
  private readonly given: readonly Float32Array[];
  private readonly made: Float32Array[];
  private readonly steps: readonly (() => void)[];

  /** Throws an Error that says what is wrong if graph and weights are not a valid network. */
  constructor(graph: Graph, weights: Uint8Array) {
    this.inputs = graph.inputs.map((each) => ({ ...each, size: sizeOf(each.shape) }));
    const values: Tensor[] = graph.inputs.map(({ shape }) => ({
      shape,
      data: new Float32Array(sizeOf(shape)),
      constant: false,
    }));
    this.given = values.map(({ data }) => data);
    for (const constant of graph.constants) {
      values.push({ shape: constant.shape, data: read(constant, weights), constant: true });
    }
    const steps: (() => void)[] = [];
    graph.nodes.forEach((node, i) => {
      const planner = Object.hasOwn(ops, node.op) ? ops[node.op] : undefined;
      if (planner === undefined) throw new Error(unknown(node.op));
      try {
        const of = node.in.map((id) => values[id]!);
        const { data, step } = planner(node, of);
        values.push({ shape: node.shape, data, constant: false });
        if (step !== undefined) steps.push(step);
      } catch (error) {
        if (!(error instanceof Misfit)) throw error;
        throw new Error(`This network is damaged: node ${i} (${node.op}), ${error.message}.`);
      }
    });
    this.steps = steps;
    const outputs = graph.outputs.map((id) => values[id]!);
    this.outputs = outputs.map(({ shape, data }) => ({ shape, size: data.length }));
    this.made = outputs.map(({ data }) => data);
  }

  /**
   * Computes the outputs for inputs in the order of `inputs`.
   *
   * They are views of the memory of the network, which the next run overwrites.
   */
  run(...inputs: readonly Float32Array[]): readonly Float32Array[] {
    for (let i = 0; i < this.given.length; i++) {
      const { name, size } = this.inputs[i]!;
      const found = inputs[i];
      if (found?.length !== size) {
        throw new Error(
          `The input "${name}" has ${size} numbers, and ${found?.length ?? "none"} were given.`,
        );
      }
      this.given[i]!.set(found);
    }
    for (const step of this.steps) step();
    return this.made;
  }
}

function unknown(op: string): string {
  const fix = "Write the page again, with one version of autoencode.";
  return `This network needs the operation "${op}", which this page does not have. ${fix}`;
}

/** Reads a constant. */
function read({ shape, type, offset }: Constant, weights: Uint8Array): Float32Array {
  const bytes = sizeOf(shape) * (type === "float16" ? 2 : 4);
  if (offset + bytes > weights.length) {
    const sizes = `${offset + bytes} bytes are needed, and there are ${weights.length}`;
    throw new Error(`The weights of this network are incomplete: ${sizes}.`);
  }
  // A copy, since typed arrays must begin at multiples of their element size.
  const { buffer } = new Uint8Array(weights.subarray(offset, offset + bytes));
  return type === "float16" ? fromHalf(new Uint16Array(buffer)) : new Float32Array(buffer);
}
