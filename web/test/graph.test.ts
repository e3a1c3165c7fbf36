import { describe, expect, it } from "vitest";
import { parseGraph } from "../src/runtime/graph";

const good = {
  inputs: [{ name: "z", shape: [1, 2] }],
  constants: [{ shape: [3, 2], type: "float32", offset: 0 }],
  nodes: [{ op: "linear", in: [0, 1], args: {}, shape: [1, 3] }],
  outputs: [2],
};

describe("parseGraph", () => {
  it("takes what Python writes", () => {
    expect(parseGraph(JSON.parse(JSON.stringify(good)))).toEqual(good);
  });

  it.each([
    ["nothing", null, "the graph is not an object"],
    ["a list", [], "the graph is not an object"],
    ["no inputs", { ...good, inputs: undefined }, "it has no list of inputs"],
    ["a nameless input", { ...good, inputs: [{ shape: [1] }] }, "input 0 has no name"],
    ["a shape of words", { ...good, inputs: [{ name: "z", shape: ["1"] }] }, "no shape"],
    ["a negative side", { ...good, inputs: [{ name: "z", shape: [-1] }] }, "no shape"],
    ["a huge shape", { ...good, inputs: [{ name: "z", shape: [1e15, 9] }] }, "any memory"],
    ["integers", { ...good, constants: [{ shape: [], type: "int8", offset: 0 }] }, "no known type"],
    ["no offset", { ...good, constants: [{ shape: [], type: "float16" }] }, "begins at no byte"],
    ["no op", { ...good, nodes: [{ in: [], args: {}, shape: [] }] }, "node 0 has no op"],
    ["a node of itself", { ...good, nodes: [{ ...good.nodes[0], in: [2] }] }, "made later or never"],
    ["an output of nothing", { ...good, outputs: [3] }, "made later or never"],
  ])("refuses %s with a sentence", (_, json, words) => {
    expect(() => parseGraph(json)).toThrow(words);
    expect(() => parseGraph(json)).toThrow(/^This network is damaged: .*\.$/);
  });
});
