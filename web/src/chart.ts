/** The planes that one model's codes can be looked at on. */

import { digits } from "./dom";
import type { Point } from "./geometry";
import type { Model } from "./model";

/** Two coordinates for every example shown, and the way to codes and back where there is one. */
export interface Chart {
  key: string;
  title: string;
  says: string;
  points: Float32Array;
  axes: readonly [string, string];
  /** The code at a place; what the plane leaves out is taken from a code at rest. */
  lift: ((x: number, y: number, rest: Float32Array) => Float32Array) | null;
  /** Where a code falls. */
  project: ((z: Float32Array) => Point) | null;
}

const NAMES: Readonly<Record<string, string>> = { tsne: "t-SNE", umap: "UMAP" };

/** Keys and titles of what there is to choose from; two numbers of the code are "dims:i:j". */
export function chartsOf(model: Model): [key: string, title: string][] {
  const found: [string, string][] = [["plane", model.header.plane.whole ? "Code plane" : "Principal plane"]];
  for (const method of model.maps.keys()) found.push([method, NAMES[method] ?? method]);
  if (model.d > 2 && !model.book) found.push(["dims", "Two numbers"]);
  return found;
}

/** The chart of a key; the code plane where the key means nothing to this model. */
export function chartOf(model: Model, key: string): Chart {
  const map = model.maps.get(key);
  if (map) return projection(key, map);
  const dims = /^dims:(\d+):(\d+)$/.exec(key);
  if (dims && !model.book) {
    const [i, j] = [Number(dims[1]), Number(dims[2])];
    if (i < model.d && j < model.d && i !== j) return twoNumbers(model, i, j);
  }
  return plane(model);
}

/** The name of a number of the code, counted from one. */
export function dimension(i: number): string {
  const low = "₀₁₂₃₄₅₆₇₈₉";
  return `z${[...String(i + 1)].map((digit) => low[Number(digit)]).join("")}`;
}

function plane(model: Model): Chart {
  const { whole, share } = model.header.plane;
  const percent = (part: number): string => `${digits(100 * part, 0)} %`;
  const free = model.header.space !== "codes";
  return {
    key: "plane",
    title: whole ? "Code plane" : "Principal plane",
    says: whole
      ? "The codes themselves."
      : `The first two principal components of the codes, ${percent(share[0] + share[1])} of their variance` +
        (free ? "; the other directions stay at the code at rest." : ". Codes are discrete, so the cursor goes from example to example."),
    points: model.points,
    axes: whole
      ? [dimension(0), dimension(1)]
      : [`principal component 1 (${percent(share[0])})`, `principal component 2 (${percent(share[1])})`],
    lift: free ? (x, y, rest) => model.tamed(model.lift(x, y, rest)) : null,
    project: (z) => {
      const at = model.project(z);
      return [at[0] as number, at[1] as number];
    },
  };
}

function twoNumbers(model: Model, i: number, j: number): Chart {
  const points = new Float32Array(2 * model.n);
  for (let which = 0; which < model.n; which++) {
    const z = model.code(which);
    points[2 * which] = z[i] as number;
    points[2 * which + 1] = z[j] as number;
  }
  return {
    key: `dims:${i}:${j}`,
    title: "Two numbers",
    says: `Two of the ${model.d} numbers of the code; the others stay at the code at rest.`,
    points,
    axes: [dimension(i), dimension(j)],
    lift: (x, y, rest) => {
      const z = rest.slice();
      [z[i], z[j]] = [x, y];
      return model.tamed(z);
    },
    project: (z) => [z[i] as number, z[j] as number],
  };
}

function projection(method: string, points: Float32Array): Chart {
  const name = NAMES[method] ?? method;
  return {
    key: method,
    title: name,
    says: `${name} of the codes. It has no way back to codes, so the cursor goes from example to example.`,
    points,
    axes: [`${name} 1`, `${name} 2`],
    lift: null,
    project: null,
  };
}
