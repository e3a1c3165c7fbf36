/** The planes on which the codes of a model can be shown. */

import { fixed } from "./dom";
import type { Point } from "./geometry";
import type { Model } from "./model";

/** Two coordinates for every example, and the maps to codes and back where they exist. */
export interface Chart {
  key: string;
  title: string;
  note: string;
  points: Float32Array;
  axes: readonly [string, string];
  /** The code at a position of the plane; its other dimensions are those of the current code. */
  lift: ((x: number, y: number, current: Float32Array) => Float32Array) | null;
  /** The position of a code; in a projection, that of the nearest example. */
  project: (z: Float32Array) => Point;
}

const NAMES: Readonly<Record<string, string>> = { tsne: "t-SNE", umap: "UMAP" };

/** Keys and titles of the charts of a model; a pair of latent dimensions has the key "dims:i:j". */
export function chartsOf(model: Model): [key: string, title: string][] {
  const found: [string, string][] = [["plane", planeTitle(model)]];
  for (const method of model.projections.keys()) found.push([method, NAMES[method] ?? method]);
  if (model.d > 2 && !model.codebook) found.push(["dims", "Two latent dimensions"]);
  return found;
}

/** The key of the first chart: a saved projection if the latent space is not the plane itself. */
export function defaultChart(model: Model): string {
  const [method] = model.projections.keys();
  return method === undefined || model.header.plane.is_latent_space ? "plane" : method;
}

/** The chart of a key; the default plane if the model has no such chart. */
export function chartOf(model: Model, key: string): Chart {
  const points = model.projections.get(key);
  if (points) return projection(model, key, points);
  const dims = /^dims:(\d+):(\d+)$/.exec(key);
  if (dims && !model.codebook) {
    const [i, j] = [Number(dims[1]), Number(dims[2])];
    if (i < model.d && j < model.d && i !== j) return twoDimensions(model, i, j);
  }
  return plane(model);
}

/** The name of a latent dimension, counted from one: z₁. */
export function dimension(i: number): string {
  const subscripts = "₀₁₂₃₄₅₆₇₈₉";
  return `z${[...String(i + 1)].map((digit) => subscripts[Number(digit)]).join("")}`;
}

function planeTitle({ header }: Model): string {
  return header.plane.is_latent_space ? "Latent space" : "Principal components";
}

function plane(model: Model): Chart {
  const { is_latent_space: complete, explained_variance: share } = model.header.plane;
  const percent = (part: number): string => `${fixed(100 * part, 0)} %`;
  const continuous = model.header.space !== "codes";
  return {
    key: "plane",
    title: planeTitle(model),
    note: complete
      ? "The two latent dimensions. Each point is the code of one example."
      : `The first two principal components of the codes, which explain ${percent(share[0] + share[1])} of their variance` +
        (continuous
          ? "; the other directions keep the values of the current code."
          : ". Codes are discrete, so the cursor moves from example to example."),
    points: model.points,
    axes: complete
      ? [dimension(0), dimension(1)]
      : [`principal component 1 (${percent(share[0])})`, `principal component 2 (${percent(share[1])})`],
    lift: continuous ? (x, y, current) => model.constrain(model.lift(x, y, current)) : null,
    project: (z) => {
      const at = model.project(z);
      return [at[0] as number, at[1] as number];
    },
  };
}

function twoDimensions(model: Model, i: number, j: number): Chart {
  const points = new Float32Array(2 * model.n);
  for (let which = 0; which < model.n; which++) {
    const z = model.code(which);
    points[2 * which] = z[i] as number;
    points[2 * which + 1] = z[j] as number;
  }
  return {
    key: `dims:${i}:${j}`,
    title: "Two latent dimensions",
    note: `Two of the ${model.d} latent dimensions; the others keep the values of the current code.`,
    points,
    axes: [dimension(i), dimension(j)],
    lift: (x, y, current) => {
      const z = current.slice();
      [z[i], z[j]] = [x, y];
      return model.constrain(z);
    },
    project: (z) => [z[i] as number, z[j] as number],
  };
}

function projection(model: Model, method: string, points: Float32Array): Chart {
  const name = NAMES[method] ?? method;
  // Codes are not changed in place, so that each is searched once and not at every frame.
  const found = new WeakMap<Float32Array, Point>();
  return {
    key: method,
    title: name,
    note: `${name} of the codes. It has no inverse, so the cursor moves from example to example, and pins are marked at the nearest example.`,
    points,
    axes: [`${name} 1`, `${name} 2`],
    lift: null,
    project: (z) => {
      let at = found.get(z);
      if (!at) {
        const { which } = model.nearest(z);
        at = [points[2 * which] as number, points[2 * which + 1] as number];
        found.set(z, at);
      }
      return at;
    },
  };
}
