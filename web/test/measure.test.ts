import { expect, test } from "vitest";
import { alongLine, boxCodes, evenly, farShare, klDivergence, nearestExample, negativeLogLikelihood, neighbours, normal, quantile, spacing, typicalExample } from "../src/measure";
import type { Model } from "../src/model";

/** A model with these codes, whose decoder is the identity. */
function model(codes: number[][]): Model {
  const d = codes[0]?.length ?? 0;
  const rows = Float32Array.from(codes.flat());
  const code = (which: number): Float32Array => rows.slice(which * d, (which + 1) * d);
  return { n: codes.length, d, rows, code, constrain: (z: Float32Array) => z, decode: (z: Float32Array) => z } as unknown as Model;
}

const values = (...of: number[]): Float32Array => Float32Array.from(of);

test("the KL of two normals is that of numerical integration", () => {
  const density = (x: number, mean: number, scale: number): number => Math.exp(-0.5 * ((x - mean) / scale) ** 2) / (scale * Math.sqrt(2 * Math.PI));
  for (const [m, s, pm, ps] of [[0, 1, 0, 1], [0.5, 0.3, 0, 1], [-2, 1.5, 1, 0.7]] as const) {
    let sum = 0;
    for (let x = -20; x < 20; x += 0.002) {
      const q = density(x, m, s);
      if (q > 1e-300) sum += 0.002 * q * Math.log(q / density(x, pm, ps));
    }
    expect(klDivergence({ mean: values(m), scale: values(s) }, { mean: values(pm), scale: values(ps) })).toBeCloseTo(sum, 3);
  }
});

test.each([
  ["Gaussian", 0.5, (x: number, at: number) => Math.exp(-2 * (x - at) ** 2) / (0.5 * Math.sqrt(2 * Math.PI))],
  ["Laplace", 0.5, (x: number, at: number) => Math.exp(-2 * Math.abs(x - at))],
  ["Bernoulli", null, (x: number, at: number) => at ** x * (1 - at) ** (1 - x)],
] as const)("−ln p(x|z) of a %s likelihood", (kind, scale, density) => {
  const [x, mean] = [values(1, 0, 0.25), values(0.8, 0.3, 0.25)];
  const wanted = -[0, 1, 2].reduce((sum, i) => sum + Math.log(density(x[i] as number, mean[i] as number)), 0);
  expect(negativeLogLikelihood(x, mean, { kind, scale })).toBeCloseTo(wanted, 4);
});

test("a certain and wrong Bernoulli pixel is finite", () => {
  expect(negativeLogLikelihood(values(1), values(0), { kind: "Bernoulli", scale: null })).toBeCloseTo(-Math.log(1e-7), 3);
});

test("distances to the nearest other example give what is far", () => {
  const line = model(Array.from({ length: 11 }, (_, i) => [i, 0]));
  expect(nearestExample(line, values(3.2, 0))).toMatchObject({ which: 3 });
  expect(nearestExample(line, values(3, 0), 3).distance).toBe(1);
  expect(spacing(line)).toEqual({ median: 1, far: 1 });
  expect(farShare(line, [values(2.5, 0), values(2.5, 2), values(20, 0), values(4, 1)])).toBe(0.5);
});

test("codes of the box are inside of it, and the same at every call", () => {
  const four = model([[-1, 5], [2, 6], [0, 9], [1, 7]]);
  const codes = boxCodes(four, 400);
  for (const [x, y] of codes as unknown as [number, number][]) {
    expect(x >= -1 && x <= 2 && y >= 5 && y <= 9).toBe(true);
  }
  expect(boxCodes(four, 400)).toEqual(codes);
  expect(codes.reduce((sum, z) => sum + (z[0] as number), 0) / 400).toBeCloseTo(0.5, 0);
});

test("neighbours of a class are counted by class", () => {
  const rows = model([[0, 0], [0.1, 0], [5, 0], [5.1, 0], [5.3, 0]]);
  const labels = Uint16Array.from([0, 0, 1, 0, 1]);
  expect(neighbours(rows, labels, 0)).toEqual({ counts: new Map([[0, 2], [1, 1]]), of: 3 });
  expect(typicalExample(rows, labels, 1)).toBe(2);
});

test("along a line, each image has a nearest example and a change", () => {
  const found = alongLine(model([[0, 0], [1, 0]]), values(0, 0), values(1, 0), 5, false);
  expect(found.nearest).toEqual([0, 0, 0, 1, 1]);
  expect(found.changes).toEqual([0.0625, 0.0625, 0.0625, 0.0625]);
});

test("quantiles and positions", () => {
  expect(quantile([3, 1, 2], 0.5)).toBe(2);
  expect(quantile([], 0.5)).toBe(0);
  expect(evenly(10, 4)).toEqual([0, 2, 5, 7]);
  expect(evenly(3, 4)).toEqual([0, 1, 2]);
});

test("noise is standard normal", () => {
  const noise = normal(20_000);
  const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
  expect(Math.abs(mean)).toBeLessThan(0.03);
  expect(noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length).toBeCloseTo(1, 1);
});
