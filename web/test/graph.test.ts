import { describe, expect, it } from "vitest";
import { parseGraph } from "../src/runtime/graph";

const good = {
  inputs: [{ name: "z", shape: [1, 2] }],
  constants: [{ shape: [3, 2], type: "float32", offset: 0 }],
  nodes: [{ op: "linear", in: [0, 1], args: {}, shape: [1, 3] }],
  outputs: [2],
};

describe("parseGraph", () => {
  it("accepts what Python writes", () => {
    expect(parseGraph(JSON.parse(JSON.stringify(good)))).toEqual(good);
  });

  it.each([
    ["nothing", null, "the graph is not an object"],
    ["a list", [], "the graph is not an object"],
    ["no inputs", { ...good, inputs: undefined }, "its inputs are not a list"],
    ["a nameless input", { ...good, inputs: [{ shape: [1] }] }, "input 0 has no name"],
    ["a shape of words", { ...good, inputs: [{ name: "z", shape: ["1"] }] }, "invalid shape"],
    ["a negative side", { ...good, inputs: [{ name: "z", shape: [-1] }] }, "invalid shape"],
    ["a huge shape", { ...good, inputs: [{ name: "z", shape: [1e15, 9] }] }, "too large"],
    ["integers", { ...good, constants: [{ shape: [], type: "int8", offset: 0 }] }, "unknown type"],
    ["no offset", { ...good, constants: [{ shape: [], type: "float16" }] }, "invalid offset"],
    ["no op", { ...good, nodes: [{ in: [], args: {}, shape: [] }] }, "node 0 has no op"],
    ["a node of itself", { ...good, nodes: [{ ...good.nodes[0], in: [2] }] }, "not computed before it"],
    ["an output of nothing", { ...good, outputs: [3] }, "not computed before it"],
  ])("refuses %s with a message", (_, json, words) => {
    expect(() => parseGraph(json)).toThrow(words);
    expect(() => parseGraph(json)).toThrow(/^This network is damaged: .*\.$/);
  });
});
