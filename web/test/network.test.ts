import { describe, expect, it } from "vitest";
import type { Graph, Node, Shape } from "../src/runtime/graph";
import { Network } from "../src/runtime/network";

/** A network of one op on inputs and constants of these shapes. */
function one(
  op: string,
  args: Node["args"],
  inputs: readonly Shape[],
  shape: Shape,
  constants: readonly [Shape, readonly number[]][] = [],
): Network {
  const numbers = constants.flatMap(([, each]) => each);
  let offset = 0;
  const graph: Graph = {
    inputs: inputs.map((each, i) => ({ name: `x${i}`, shape: each })),
    constants: constants.map(([of, each]) => {
      offset += 4 * each.length;
      return { shape: of, type: "float32", offset: offset - 4 * each.length };
    }),
    nodes: [{ op, args, shape, in: [...inputs, ...constants].map((_, i) => i) }],
    outputs: [inputs.length + constants.length],
  };
  return new Network(graph, new Uint8Array(Float32Array.from(numbers).buffer));
}

function run(network: Network, ...inputs: readonly number[][]): number[] {
  return [...network.run(...inputs.map((each) => Float32Array.from(each)))[0]!];
}

describe("ops", () => {
  it("linear", () => {
    const network = one("linear", {}, [[1, 2]], [1, 3], [
      [[3, 2], [1, 2, 3, 4, 5, 6]],
      [[3], [0.5, 0, -1]],
    ]);
    expect(run(network, [10, 1])).toEqual([12.5, 34, 55]);
    expect(run(network, [0, 0])).toEqual([0.5, 0, -1]);
  });

  it("matmul", () => {
    const network = one("matmul", {}, [[2, 2], [2, 1]], [2, 1]);
    expect(run(network, [1, 2, 3, 4], [5, 6])).toEqual([17, 39]);
  });

  it("conv2d", () => {
    const args = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
    const kernel: [Shape, number[]] = [[1, 1, 2, 2], [1, 2, 3, 4]];
    const network = one("conv2d", args, [[1, 1, 2, 3]], [1, 1, 1, 2], [kernel]);
    expect(run(network, [1, 0, 2, 0, 1, 0])).toEqual([5, 7]);
  });

  it("conv_transpose2d", () => {
    const args = { stride: [2, 2], padding: [0, 0], dilation: [1, 1], groups: 1 };
    const kernel: [Shape, number[]] = [[1, 1, 2, 2], [1, 2, 3, 4]];
    const network = one("conv_transpose2d", args, [[1, 1, 1, 2]], [1, 1, 2, 4], [kernel]);
    // Twice, since what a run adds up must not stay for the next.
    run(network, [7, 7]);
    expect(run(network, [1, 10])).toEqual([1, 2, 10, 20, 3, 4, 30, 40]);
  });

  it("binary, broadcast", () => {
    const network = one("binary", { name: "sub" }, [[2, 1], [3]], [2, 3]);
    expect(run(network, [10, 20], [1, 2, 3])).toEqual([9, 8, 7, 19, 18, 17]);
  });

  it("round, to even", () => {
    const network = one("unary", { name: "round" }, [[6]], [6]);
    expect(run(network, [0.5, 1.5, 2.5, -0.5, -1.5, 2.4])).toEqual([0, 2, 2, -0, -2, 2]);
  });

  it("topk", () => {
    const args = { part: "indices", k: 2, size: 4, largest: true };
    expect(run(one("topk", args, [[4]], [2]), [1, 9, 3, 4])).toEqual([1, 3]);
  });

  it("strided, without a copy where the numbers lie together", () => {
    const rows = one("strided", { strides: [2, 1], offset: 2 }, [[3, 2]], [2, 2]);
    expect(run(rows, [1, 2, 3, 4, 5, 6])).toEqual([3, 4, 5, 6]);
    const chartChanged = one("strided", { strides: [1, 2], offset: 0 }, [[3, 2]], [2, 3]);
    expect(run(chartChanged, [1, 2, 3, 4, 5, 6])).toEqual([1, 3, 5, 2, 4, 6]);
  });
});

describe("Network", () => {
  const relu = (): Network => one("unary", { name: "relu" }, [[1, 2]], [1, 2]);

  it("tells what it takes and gives", () => {
    expect(relu().inputs).toEqual([{ name: "x0", shape: [1, 2], size: 2 }]);
    expect(relu().outputs).toEqual([{ shape: [1, 2], size: 2 }]);
  });

  it("gives the same memory at each run, and leaves its input alone", () => {
    const network = relu();
    const x = Float32Array.of(-1, 2);
    const first = network.run(x);
    expect([...first[0]!]).toEqual([0, 2]);
    const second = network.run(Float32Array.of(3, -4));
    expect(second).toBe(first);
    expect(second[0]).toBe(first[0]);
    expect([...first[0]!]).toEqual([3, 0]);
    expect([...x]).toEqual([-1, 2]);
  });

  it("reads weights from any byte of a larger blob", () => {
    const bytes = new Uint8Array(3 + 4);
    new DataView(bytes.buffer).setUint16(3 + 2, 0x4000, true);
    const graph: Graph = {
      inputs: [{ name: "x", shape: [1] }],
      constants: [{ shape: [1], type: "float16", offset: 2 }],
      nodes: [{ op: "binary", in: [0, 1], args: { name: "mul" }, shape: [1] }],
      outputs: [2],
    };
    const network = new Network(graph, bytes.subarray(3));
    expect([...network.run(Float32Array.of(4))[0]!]).toEqual([8]);
    expect(() => new Network(graph, bytes.subarray(3, 6))).toThrow(
      "The weights of this network are incomplete: 4 bytes are needed, and there are 3.",
    );
  });

  it("refuses inputs of another size, and too few", () => {
    expect(() => relu().run(new Float32Array(3))).toThrow('The input "x0" has 2 numbers');
    expect(() => relu().run()).toThrow("and none were given");
  });

  it("refuses ops and functions that it does not know", () => {
    expect(() => one("fold", {}, [[1]], [1])).toThrow('needs the operation "fold"');
    expect(() => one("toString", {}, [[1]], [1])).toThrow('needs the operation "toString"');
    const words = 'node 0 (unary), there is no function "constructor"';
    expect(() => one("unary", { name: "constructor" }, [[1]], [1])).toThrow(words);
  });

  it.each([
    ["linear", {}, [[1, 3]], [1, 3]],
    ["unary", { name: "exp" }, [[3]], [2]],
    ["binary", { name: "add" }, [[3], [2]], [3]],
    ["reduce", { name: "sum", size: 2 }, [[3]], [1]],
    ["strided", { strides: [2], offset: 0 }, [[3]], [3]],
    ["reshape", {}, [[3]], [4]],
    ["concat", { axis: 0 }, [[3], [3]], [5]],
    ["conv2d", {}, [[3], [3]], [3]],
    ["pool", { name: "max" }, [[1, 2, 2]], [1, 1, 1]],
  ])("refuses a damaged %s", (op, args, inputs, shape) => {
    expect(() => one(op, args, inputs, shape)).toThrow(/^This network is damaged: node 0 .*\.$/);
  });
});
