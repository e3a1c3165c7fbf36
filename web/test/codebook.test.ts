/** Codes of one shared codebook, of one for each block of dimensions, and of sums over levels. */

import { describe, expect, test } from "vitest";
import type { Content, Reference } from "../src/content";
import { Codebook } from "../src/model";

/** A codebook whose entry e of book b has the vector (100 b + 10 e, 100 b + 10 e + 1). */
function made(books: number, entries: number, indices: number[][], d: number, positions: number): Codebook {
  const vectors = Float32Array.from({ length: 2 * books * entries }, (_, k) => {
    const entry = Math.floor(k / 2);
    return 100 * Math.floor(entry / entries) + 10 * (entry % entries) + (k % 2);
  });
  const content = { floats: () => vectors, integers: () => Uint16Array.from(indices.flat()) } as unknown as Content;
  const shaped = (...shape: number[]): Reference => ({ shape }) as unknown as Reference;
  const header = {
    vectors: shaped(books, entries, 2),
    indices: shaped(indices.length, (indices[0] as number[]).length),
    positions,
  };
  return new Codebook(header, d, content);
}

describe("codes of indices", () => {
  test("one codebook for all groups", () => {
    const book = made(1, 3, [[2, 0], [1, 1]], 4, 1);
    expect([...book.code(0)]).toEqual([20, 21, 0, 1]);
    expect([...book.code(1)]).toEqual([10, 11, 10, 11]);
    expect([book.books, book.entries, book.groups]).toEqual([1, 3, 2]);
  });

  test("a feature map has a vector at each position", () => {
    const book = made(1, 3, [[0, 1, 2]], 6, 3);
    expect([...book.code(0)]).toEqual([0, 10, 20, 1, 11, 21]);
  });

  test("a codebook for each block of channels", () => {
    expect([...made(2, 3, [[2, 0]], 4, 1).code(0)]).toEqual([20, 21, 100, 101]);
    const map = made(2, 3, [[0, 1, 2, 0]], 8, 2);
    expect([...map.code(0)]).toEqual([0, 10, 1, 11, 120, 100, 121, 101]);
  });

  test("a sum of one entry of each level", () => {
    const book = made(3, 4, [[1, 2, 0, 1, 3, 0]], 4, 1);
    expect(book.groups).toBe(6);
    expect([...book.code(0)]).toEqual([10 + 100 + 230, 11 + 101 + 231, 20 + 110 + 200, 21 + 111 + 201]);
  });
});
