/** Linear layers and matrix products. */

import { sizeOf } from "../graph";
import { broadcastStrides, fits, input, last, places, type Planner, room } from "./plan";
import { product, transpose } from "./product";

/** x Wᵀ + b along the last dimension: x [..., k], W [m, k], b [m]. */
export const linear: Planner = (node, of) => {
  const x = input(of, 0);
  const weight = input(of, 1);
  const bias = of[2]?.data;
  const [m, k] = weight.shape;
  fits(m !== undefined && k !== undefined && last(x.shape) === k, "the weights do not fit");
  fits(bias === undefined || bias.length === m, "the bias does not fit");
  const rows = k === 0 ? 0 : x.data.length / k;
  const data = room(node);
  fits(data.length === rows * m, "the result does not fit");
  const step = (): void => {
    // For a single row the roles are swapped, so that the rows of the weights are computed in blocks.
    if (rows === 1) product(weight.data, 0, x.data, 0, data, 0, 1, m, 1, k);
    else product(x.data, 0, weight.data, 0, data, 0, m, rows, m, k);
    if (bias !== undefined) addToRows(data, bias);
  };
  return { data, step };
};

function addToRows(data: Float32Array, bias: Float32Array): void {
  const m = bias.length;
  for (let from = 0; from < data.length; from += m) {
    for (let j = 0; j < m; j++) data[from + j] = data[from + j]! + bias[j]!;
  }
}

/** The matrix product over the last two dimensions; the others are broadcast. */
export const matmul: Planner = (node, of) => {
  const a = input(of, 0);
  const b = input(of, 1);
  const [m = 0, k = 0] = a.shape.slice(-2);
  const [inner = 0, n = 0] = b.shape.slice(-2);
  const lead = node.shape.slice(0, -2);
  const data = room(node);
  fits(k === inner && data.length === sizeOf(lead) * m * n, "the matrices do not fit");
  const [starts, others] = [a, b].map(({ shape }) => {
    const strides = broadcastStrides(shape.slice(0, -2), lead);
    return places(lead, strides);
  }) as [Int32Array, Int32Array];
  const transposed = new Float32Array(n * k);
  const step = (): void => {
    for (let i = 0; i < starts.length; i++) {
      transpose(b.data, others[i]! * k * n, transposed, k, n);
      product(a.data, starts[i]! * m * k, transposed, 0, data, i * m * n, n, m, n, k);
    }
  };
  return { data, step };
};
