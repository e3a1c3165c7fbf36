/** A network as data: the format that Python writes, and its validation. */

export type Shape = readonly number[];

export interface Input {
  readonly name: string;
  readonly shape: Shape;
}

/** An array in the weights that begins at the byte `offset`. */
export interface Constant {
  readonly shape: Shape;
  readonly type: "float16" | "float32";
  readonly offset: number;
}

/** An operation on values, which are numbered: first inputs, then constants, then nodes. */
export interface Node {
  readonly op: string;
  readonly in: readonly number[];
  readonly args: Readonly<Record<string, unknown>>;
  readonly shape: Shape;
}

export interface Graph {
  readonly inputs: readonly Input[];
  readonly constants: readonly Constant[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly number[];
}

// Numbers in one tensor, at most.
const MAX_SIZE = 2 ** 28;

/** Numbers in a tensor of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, side) => product * side, 1);
}

/** Validates parsed JSON as a graph; throws an Error that says what is wrong. */
export function parseGraph(json: unknown): Graph {
  const graph = record(json, "the graph");
  const inputs = list(graph["inputs"], "inputs").map((each, i) => {
    const input = record(each, `input ${i}`);
    check(typeof input["name"] === "string", `input ${i} has no name`);
    return { name: input["name"], shape: shape(input["shape"], `input ${i}`) };
  });
  const constants = list(graph["constants"], "constants").map((each, i): Constant => {
    const constant = record(each, `constant ${i}`);
    const { type, offset } = constant;
    check(type === "float16" || type === "float32", `constant ${i} has an unknown type`);
    check(isCount(offset), `constant ${i} has an invalid offset`);
    return { type, offset, shape: shape(constant["shape"], `constant ${i}`) };
  });
  const given = inputs.length + constants.length;
  const nodes = list(graph["nodes"], "nodes").map((each, i) => {
    const node = record(each, `node ${i}`);
    check(typeof node["op"] === "string", `node ${i} has no op`);
    return {
      op: node["op"],
      in: ids(node["in"], given + i, `node ${i}`),
      args: record(node["args"], `the arguments of node ${i}`),
      shape: shape(node["shape"], `node ${i}`),
    };
  });
  const outputs = ids(graph["outputs"], given + nodes.length, "the output");
  return { inputs, constants, nodes, outputs };
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`This network is damaged: ${what}.`);
}

function isCount(x: unknown): x is number {
  return Number.isSafeInteger(x) && (x as number) >= 0;
}

function record(x: unknown, what: string): Readonly<Record<string, unknown>> {
  check(typeof x === "object" && x !== null && !Array.isArray(x), `${what} is not an object`);
  return x as Record<string, unknown>;
}

function list(x: unknown, what: string): readonly unknown[] {
  check(Array.isArray(x), `its ${what} are not a list`);
  return x;
}

function shape(x: unknown, what: string): Shape {
  check(Array.isArray(x) && x.every(isCount), `${what} has an invalid shape`);
  check(sizeOf(x) <= MAX_SIZE, `${what} is too large`);
  return x;
}

/** References to values that are computed earlier. */
function ids(x: unknown, below: number, what: string): readonly number[] {
  check(Array.isArray(x) && x.every(isCount), `${what} has invalid inputs`);
  check(
    x.every((id) => id < below),
    `${what} refers to a value that is not computed before it`,
  );
  return x;
}
