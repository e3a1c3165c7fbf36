/** A network that runs: planned once, computed often. */

import { type Constant, type Graph, type Input, type Shape, sizeOf } from "./graph";
import { fromHalf } from "./half";
import { ops } from "./ops/index";
import { Misfit, type Tensor } from "./ops/plan";

export interface Output {
  readonly shape: Shape;
  readonly size: number;
}

/**
 * A network on its way from inputs to outputs, all in single precision.
 *
 * Memory is taken when it is made; a run takes none, so that it can follow a mouse.
 */
export class Network {
  readonly inputs: readonly (Input & { readonly size: number })[];
  readonly outputs: readonly Output[];
  private readonly given: readonly Float32Array[];
  private readonly made: Float32Array[];
  private readonly steps: readonly (() => void)[];

  /** Throws an Error that says what is wrong where graph and weights hold no network. */
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
   * The outputs for these inputs, which come in the order of `inputs`.
   *
   * They are views of the network's own memory and hold until the next run: copy what is to stay.
   */
  run(...inputs: readonly Float32Array[]): readonly Float32Array[] {
    for (let i = 0; i < this.given.length; i++) {
      const { name, size } = this.inputs[i]!;
      const found = inputs[i];
      if (found?.length !== size) {
        throw new Error(
          `The input "${name}" holds ${size} numbers, and ${found?.length ?? "none"} were given.`,
        );
      }
      this.given[i]!.set(found);
    }
    for (const step of this.steps) step();
    return this.made;
  }
}

function unknown(op: string): string {
  const fix = "Write the page again, with the version that wrote the network.";
  return `This network needs the op "${op}", which this page does not have. ${fix}`;
}

/** The numbers of a constant. */
function read({ shape, type, offset }: Constant, weights: Uint8Array): Float32Array {
  const bytes = sizeOf(shape) * (type === "float16" ? 2 : 4);
  if (offset + bytes > weights.length) {
    const sizes = `${offset + bytes} bytes are needed, and there are ${weights.length}`;
    throw new Error(`The weights of this network are cut off: ${sizes}.`);
  }
  // A copy, since typed arrays begin at multiples of their own size only.
  const { buffer } = new Uint8Array(weights.subarray(offset, offset + bytes));
  return type === "float16" ? fromHalf(new Uint16Array(buffer)) : new Float32Array(buffer);
}
