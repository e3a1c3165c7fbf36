/** One model of a page: its codes, its networks, and the way between a code and an image. */

import type { Content, ModelHeader, NetworkHeader } from "./content";
import { parseGraph } from "./runtime/graph";
import { Network } from "./runtime/network";

/** Nats below which a dimension says nothing about the example. */
const DEAD = 0.01;

export interface Found {
  which: number;
  /** Euclidean, between codes. */
  distance: number;
}

/** Where an example lands: the code and, where the posterior is normal, its scale. */
export interface Landing {
  z: Float32Array;
  scale: Float32Array | null;
}

export class Model {
  readonly n: number;
  /** Numbers in one code. */
  readonly d: number;
  readonly points: Float32Array;
  readonly mean: Float32Array;
  readonly spread: Float32Array;
  readonly errors: Float32Array;
  readonly origin: Float32Array;
  readonly axes: Float32Array;
  readonly maps: ReadonlyMap<string, Float32Array>;
  readonly samples: Float32Array;
  readonly book: Book | null;
  /** The dimensions of a code, those that carry most first. */
  readonly order: number[];
  /** The label that a conditional model is told where nothing else is said. */
  label = 0;
  private readonly codes: Float32Array | null;
  private readonly known: Float32Array | Uint16Array | Uint32Array | Uint8Array | null;
  private readonly decoder: Network | null;
  private readonly encoder: Network | null;
  private readonly features: Float32Array;

  constructor(
    readonly header: ModelHeader,
    content: Content,
  ) {
    this.d = header.shape.reduce((product, side) => product * side, 1);
    this.points = content.floats(header.points);
    this.n = this.points.length / 2;
    this.mean = content.floats(header.mean);
    this.spread = content.floats(header.spread);
    this.errors = content.floats(header.errors);
    this.origin = content.floats(header.plane.origin);
    this.axes = content.floats(header.plane.axes);
    this.samples = content.floats(header.samples.codes);
    this.maps = new Map(header.maps.map((map) => [map.method, content.floats(map.points)]));
    this.codes = header.codes ? content.floats(header.codes) : null;
    this.book = header.book ? new Book(header.book, this.d, content) : null;
    const { context } = header;
    this.known = !context ? null : context.source === "labels" ? content.whole(context.told) : content.floats(context.told);
    this.features = new Float32Array(context?.width ?? 0);
    this.decoder = network(header.decoder, content);
    this.encoder = network(header.encoder, content);
    this.order = [...this.mean.keys()].sort((a, b) => this.carries(b) - this.carries(a) || a - b);
  }

  get decodes(): boolean {
    return this.decoder !== null;
  }

  get encodes(): boolean {
    return this.encoder !== null;
  }

  /** Whether images are made for a class that is chosen. */
  get conditional(): boolean {
    return this.header.context?.source === "labels";
  }

  /** How much a dimension carries: nats where they are known, else how far the codes spread. */
  carries(dimension: number): number {
    return this.header.nats?.[dimension] ?? (this.spread[dimension] as number);
  }

  /** Whether a dimension says nothing about the example. */
  dead(dimension: number): boolean {
    const { nats } = this.header;
    return nats ? (nats[dimension] as number) < DEAD : (this.spread[dimension] as number) < 1e-4;
  }

  /** The code of an example shown. */
  code(which: number): Float32Array {
    if (this.book) return this.book.code(which);
    return (this.codes as Float32Array).slice(which * this.d, (which + 1) * this.d);
  }

  /** A random code. */
  sample(which: number): Float32Array {
    const at = which % (this.samples.length / this.d);
    return this.samples.slice(at * this.d, (at + 1) * this.d);
  }

  /** A code brought back to where codes live. */
  tamed(z: Float32Array): Float32Array {
    if (this.header.space === "box") return z.map((value) => Math.min(0.9999, Math.max(-0.9999, value)));
    if (this.header.space !== "sphere") return z;
    const length = Math.hypot(...z) || 1;
    return z.map((value) => value / length);
  }

  /**
   * The image of a code, [*X]: a view that the next call overwrites; null where the page cannot
   * run the decoder.
   */
  decode(z: Float32Array, label = this.label, like?: number): Float32Array | null {
    if (!this.decoder) return null;
    const inputs = this.features.length ? [z, this.tell(label, like)] : [z];
    return this.decoder.run(...inputs)[0] as Float32Array;
  }

  /** The code of an image [*X] with values in [0, 1]; copies. */
  encode(x: Float32Array, label = this.label, like?: number): Landing | null {
    if (!this.encoder) return null;
    const inputs = this.encoder.inputs.length > 1 ? [x, this.tell(label, like)] : [x];
    // A model that tells the class by itself is told none.
    if (this.header.context?.told_by === "model") inputs[1]?.fill(0);
    const [z, scale] = this.encoder.run(...inputs);
    return { z: (z as Float32Array).slice(), scale: scale ? scale.slice() : null };
  }

  /** What a conditional model is told in Python: a class by its number, or features; else null. */
  told(label: number): number | number[] | null {
    if (!this.header.context) return null;
    return this.conditional ? label : [...this.tell(label)];
  }

  /** The label that belongs to an example shown. */
  labelOf(which: number): number {
    return this.conditional && this.known ? (this.known[which] as number) : this.label;
  }

  /** The example shown whose code is nearest to one. */
  nearest(z: Float32Array): Found {
    if (this.book || this.codes === null) return nearestRow(this.points, this.project(z), 2);
    return nearestRow(this.codes, z, this.d);
  }

  /** Where a code falls on the plane. */
  project(z: Float32Array): Float32Array {
    const at = new Float32Array(2);
    for (let i = 0; i < this.d; i++) {
      const offset = (z[i] as number) - (this.origin[i] as number);
      at[0] = (at[0] as number) + offset * (this.axes[i] as number);
      at[1] = (at[1] as number) + offset * (this.axes[this.d + i] as number);
    }
    return at;
  }

  /** The code at a place of the plane; what the plane leaves out is taken from `rest`. */
  lift(x: number, y: number, rest: Float32Array): Float32Array {
    const [restX, restY] = this.project(rest) as unknown as [number, number];
    const [a, b] = [x - restX, y - restY];
    const z = new Float32Array(this.d);
    for (let i = 0; i < this.d; i++) {
      z[i] = (rest[i] as number) + a * (this.axes[i] as number) + b * (this.axes[this.d + i] as number);
    }
    return z;
  }

  private tell(label: number, like = 0): Float32Array {
    const width = this.features.length;
    if (this.conditional) {
      this.features.fill(0);
      this.features[label] = 1;
    } else {
      this.features.set((this.known as Float32Array).subarray(like * width, (like + 1) * width));
    }
    return this.features;
  }
}

/** The entries that discrete codes are made of. */
export class Book {
  readonly entries: number;
  /** Groups in a code, each one entry. */
  readonly groups: number;
  readonly places: number;
  private readonly dim: number;
  private readonly values: Float32Array;
  private readonly index: Uint16Array | Uint32Array | Uint8Array;

  constructor(header: NonNullable<ModelHeader["book"]>, d: number, content: Content) {
    this.values = content.floats(header.values);
    this.index = content.whole(header.index);
    [this.entries, this.dim] = header.values.shape as [number, number];
    this.places = header.places;
    this.groups = d / this.dim;
  }

  /** The entries of an example shown. */
  entriesOf(which: number): number[] {
    return [...this.index.subarray(which * this.groups, (which + 1) * this.groups)];
  }

  code(which: number): Float32Array {
    return this.codeOf(this.entriesOf(which));
  }

  /** The code whose groups are these entries; a code's first axis is cut into groups place by place. */
  codeOf(entries: readonly number[]): Float32Array {
    const z = new Float32Array(this.groups * this.dim);
    entries.forEach((entry, group) => {
      const [band, place] = [Math.floor(group / this.places), group % this.places];
      for (let k = 0; k < this.dim; k++) {
        z[(band * this.dim + k) * this.places + place] = this.values[entry * this.dim + k] as number;
      }
    });
    return z;
  }
}

function network(header: NetworkHeader | null, content: Content): Network | null {
  return header && new Network(parseGraph(header.graph), content.bytes(header.weights));
}

/** The row of [N, d] nearest to a point. */
export function nearestRow(rows: Float32Array, to: Float32Array, d: number): Found {
  let [which, least] = [0, Number.POSITIVE_INFINITY];
  for (let row = 0, at = 0; at < rows.length; row++, at += d) {
    let sum = 0;
    for (let k = 0; k < d && sum < least; k++) {
      const difference = (rows[at + k] as number) - (to[k] as number);
      sum += difference * difference;
    }
    if (sum < least) [which, least] = [row, sum];
  }
  return { which, distance: Math.sqrt(least) };
}
