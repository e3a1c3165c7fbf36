/** Numbers measured on the models of the page: loss terms, distances between codes, classes. */

import type { ModelHeader } from "./content";
import { between } from "./geometry";
import type { Model } from "./model";

/** Examples for which the nearest other code is searched. */
const MAX_SEARCHED = 300;
/** A code is far from the data beyond this quantile of the distances between examples. */
export const FAR_QUANTILE = 0.95;
/** Predicted probabilities stay this far from 0 and 1, so that their logarithms are finite. */
const MIN_PROBABILITY = 1e-7;

export type Likelihood = NonNullable<ModelHeader["loss"]["likelihood"]>;

/** A normal distribution with independent dimensions. */
export interface Normal {
  mean: Float32Array;
  scale: Float32Array;
}

export function squaredError(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0);
}

/** KL(q ‖ p) of two normal distributions, nats. */
export function klDivergence(q: Normal, p: Normal): number {
  return q.mean.reduce((sum, mean, i) => {
    const [scale, priorScale] = [q.scale[i] as number, p.scale[i] as number];
    const offset = mean - (p.mean[i] as number);
    return sum + Math.log(priorScale / scale) + (scale ** 2 + offset ** 2) / (2 * priorScale ** 2) - 0.5;
  }, 0);
}

/** −ln p(x|z) of an image with the decoded mean, nats. */
export function negativeLogLikelihood(x: Float32Array, mean: Float32Array, { kind, scale }: Likelihood): number {
  const of = scale ?? 1;
  const each: Record<Likelihood["kind"], (value: number, at: number) => number> = {
    Gaussian: (value, at) => (value - at) ** 2 / (2 * of ** 2) + Math.log(of) + 0.5 * Math.log(2 * Math.PI),
    Laplace: (value, at) => Math.abs(value - at) / of + Math.log(2 * of),
    Bernoulli: (value, at) => {
      const p = Math.min(1 - MIN_PROBABILITY, Math.max(MIN_PROBABILITY, at));
      return -value * Math.log(p) - (1 - value) * Math.log(1 - p);
    },
  };
  return x.reduce((sum, value, i) => sum + each[kind](value, mean[i] as number), 0);
}

/** Numbers from the standard normal distribution, by the Box–Muller transform. */
export function normal(n: number): Float32Array {
  return Float32Array.from({ length: n }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
    return radius * Math.cos(2 * Math.PI * Math.random());
  });
}

/** The example whose code is nearest to a code, without the example `except`. */
export function nearestExample(model: Model, z: Float32Array, except = -1): { which: number; distance: number } {
  const { rows, d } = model;
  let [which, least] = [-1, Number.POSITIVE_INFINITY];
  for (let row = 0, at = 0; at < rows.length; row++, at += d) {
    if (row === except) continue;
    let sum = 0;
    for (let k = 0; k < d && sum < least; k++) sum += ((rows[at + k] as number) - (z[k] as number)) ** 2;
    if (sum < least) [which, least] = [row, sum];
  }
  return { which, distance: Math.sqrt(least) };
}

/** At most so many of n positions, evenly spread. */
export function evenly(n: number, most: number): number[] {
  const found = Math.min(n, most);
  return Array.from({ length: found }, (_, k) => Math.floor((k * n) / found));
}

/** The distance from an example to the nearest other example: the median, and the limit of "far". */
export interface Spacing {
  median: number;
  far: number;
}

const spacings = new WeakMap<Model, Spacing>();

export function spacing(model: Model): Spacing {
  let found = spacings.get(model);
  if (!found) {
    const distances = evenly(model.n, MAX_SEARCHED).map((which) => nearestExample(model, model.code(which), which).distance);
    found = { median: quantile(distances, 0.5), far: quantile(distances, FAR_QUANTILE) };
    spacings.set(model, found);
  }
  return found;
}

/** The share of codes that are far from the codes of all examples. */
export function farShare(model: Model, codes: readonly Float32Array[]): number {
  const { far } = spacing(model);
  return codes.filter((z) => nearestExample(model, z).distance > far).length / codes.length;
}

export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Array.from(values).sort((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))] ?? 0;
}

/** Codes drawn uniformly from the bounding box of the codes; the same at every call. */
export function boxCodes(model: Model, n: number): Float32Array[] {
  const { rows, d } = model;
  const low = new Float32Array(d).fill(Number.POSITIVE_INFINITY);
  const high = new Float32Array(d).fill(Number.NEGATIVE_INFINITY);
  rows.forEach((value, i) => {
    low[i % d] = Math.min(low[i % d] as number, value);
    high[i % d] = Math.max(high[i % d] as number, value);
  });
  const random = uniform(1);
  return Array.from({ length: n }, () => model.constrain(low.map((from, k) => from + random() * ((high[k] as number) - from))));
}

/** Uniform random numbers of a seed (mulberry32). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The example of a class whose code is nearest to the mean code of the class. */
export function typicalExample(model: Model, labels: Uint16Array, label: number): number {
  const members = [...labels.keys()].filter((which) => labels[which] === label);
  const mean = new Float32Array(model.d);
  for (const which of members) model.code(which).forEach((value, k) => (mean[k] = (mean[k] as number) + value / members.length));
  const distances = members.map((which) => squaredError(model.code(which), mean));
  return members[distances.indexOf(Math.min(...distances))] as number;
}

/** How many examples of a class have their nearest other example in each class, and of how many. */
export function neighbours(model: Model, labels: Uint16Array, label: number): { counts: Map<number, number>; of: number } {
  const members = [...labels.keys()].filter((which) => labels[which] === label);
  const counts = new Map<number, number>();
  const searched = evenly(members.length, MAX_SEARCHED).map((k) => members[k] as number);
  for (const which of searched) {
    const other = labels[nearestExample(model, model.code(which), which).which];
    if (other !== undefined) counts.set(other, (counts.get(other) ?? 0) + 1);
  }
  return { counts, of: searched.length };
}

/** Codes of an interpolation: the nearest example to each, and the changes between decoded images. */
export function alongLine(model: Model, a: Float32Array, b: Float32Array, steps: number, arc: boolean): { nearest: number[]; changes: number[] } {
  const codes = between(a, b, steps, arc).map((z) => model.constrain(z));
  const images = codes.map((z) => model.decode(z)?.slice());
  const changes = images.slice(1).map((image, i) => (image ? squaredError(image, images[i] as Float32Array) : 0));
  return { nearest: codes.map((z) => nearestExample(model, z).which), changes };
}
