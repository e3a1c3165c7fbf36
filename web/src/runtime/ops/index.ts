/** All operations of a graph. */

import { conv2d, convTranspose2d } from "./convolution";
import { linear, matmul } from "./dense";
import { concat, pad, reshape, strided, take } from "./movement";
import type { Planner } from "./plan";
import { binary, unary, where } from "./pointwise";
import { pool } from "./pool";
import { gather, reduce, scatter, standardize, topk } from "./reduction";

export const ops: Readonly<Record<string, Planner>> = {
  linear,
  matmul,
  conv2d,
  conv_transpose2d: convTranspose2d,
  pool,
  unary,
  binary,
  where,
  reduce,
  standardize,
  topk,
  scatter,
  gather,
  reshape,
  strided,
  concat,
  take,
  pad,
};
