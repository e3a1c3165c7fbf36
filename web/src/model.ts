/** One model of a page: its codes, its networks, and the maps between codes and images. */

import type { Content, ModelHeader, NetworkHeader } from "./content";
import { count } from "./dom";
import type { Normal } from "./measure";
import { parseGraph } from "./runtime/graph";
import { Network } from "./runtime/network";

/** A latent dimension without a KL is active if its standard deviation is above this. */
const MIN_STD = 1e-4;

export interface Nearest {
  which: number;
  /** Euclidean, between codes. */
  distance: number;
}

/** The code of an image and, for a normal posterior, its standard deviation. */
export interface Encoding {
  z: Float32Array;
  scale: Float32Array | null;
  /** A code drawn from the posterior. */
  sample?: Float32Array;
}

export class Model {
  /** Examples. */
  readonly n: number;
  /** Latent dimensions. */
  readonly d: number;
  readonly points: Float32Array;
  readonly mean: Float32Array;
  readonly std: Float32Array;
  readonly errors: Float32Array;
  readonly origin: Float32Array;
  readonly axes: Float32Array;
  readonly projections: ReadonlyMap<string, Float32Array>;
  readonly samples: Float32Array;
  /** A normal prior; null for any other. */
  readonly prior: Normal | null;
  readonly codebook: Codebook | null;
  /** The latent dimensions, the most informative first. */
  readonly order: number[];
  /** Active dimensions are more informative than this: nats of KL, or a standard deviation. */
  readonly threshold: number;
  /** The class for which a conditional model decodes. */
  label = 0;
  private codes: Float32Array | null;
  private readonly contextValues: Float32Array | Uint16Array | Uint32Array | Uint8Array | null;
  private readonly decoder: Network | null;
  private readonly encoder: Network | null;
  private readonly context: Float32Array;

  constructor(
    readonly header: ModelHeader,
    content: Content,
  ) {
    this.d = header.code_shape.reduce((product, side) => product * side, 1);
    this.points = content.floats(header.points);
    this.n = this.points.length / 2;
    this.mean = content.floats(header.code_mean);
    this.std = content.floats(header.code_std);
    this.errors = content.floats(header.squared_errors);
    this.origin = content.floats(header.plane.origin);
    this.axes = content.floats(header.plane.axes);
    this.samples = content.floats(header.samples.codes);
    const { prior } = header.loss;
    this.prior = prior && { mean: content.floats(prior.mean), scale: content.floats(prior.scale) };
    this.projections = new Map(header.projections.map(({ method, points }) => [method, content.floats(points)]));
    this.codes = header.codes ? content.floats(header.codes) : null;
    this.codebook = header.codebook ? new Codebook(header.codebook, this.d, content) : null;
    const { context } = header;
    this.contextValues =
      context && (context.kind === "labels" ? content.integers(context.values) : content.floats(context.values));
    this.context = new Float32Array(context?.size ?? 0);
    this.decoder = network(header.decoder, content);
    this.encoder = network(header.encoder, content);
    this.threshold = header.kl ? content.header.min_active_kl_nats : MIN_STD;
    this.order = [...this.mean.keys()].sort((a, b) => this.information(b) - this.information(a) || a - b);
  }

  get decodes(): boolean {
    return this.decoder !== null;
  }

  get encodes(): boolean {
    return this.encoder !== null;
  }

  /** Whether the encoder gives a normal posterior. */
  get hasPosterior(): boolean {
    return (this.encoder?.outputs.length ?? 0) > 1;
  }

  /** The codes of all examples, [n, d]. */
  get rows(): Float32Array {
    if (!this.codes) {
      this.codes = new Float32Array(this.n * this.d);
      for (let which = 0; which < this.n; which++) this.codes.set(this.code(which), which * this.d);
    }
    return this.codes;
  }

  /** Whether images are decoded for a class. */
  get conditional(): boolean {
    return this.header.context?.kind === "labels";
  }

  /** Numbers in one image. */
  get pixels(): number {
    return this.header.image_shape.reduce((product, side) => product * side, 1);
  }

  /** The number of pixels or features over which errors are summed, as text. */
  get sizeText(): string {
    const { image_shape: shape } = this.header;
    const unit = shape.length === 1 ? "features" : shape.length === 3 && shape[0] !== 1 ? "pixel values" : "pixels";
    return `${count(this.pixels)} ${unit}`;
  }

  /** How informative a latent dimension is: its KL where there is one, else its standard deviation. */
  information(dimension: number): number {
    return this.header.kl?.[dimension] ?? (this.std[dimension] as number);
  }

  /** Whether a latent dimension carries no information about the example. */
  inactive(dimension: number): boolean {
    return this.information(dimension) <= this.threshold;
  }

  /** The code of an example. */
  code(which: number): Float32Array {
    if (this.codebook) return this.codebook.code(which);
    return (this.codes as Float32Array).slice(which * this.d, (which + 1) * this.d);
  }

  /** A random code. */
  sample(which: number): Float32Array {
    const at = which % (this.samples.length / this.d);
    return this.samples.slice(at * this.d, (at + 1) * this.d);
  }

  /** The nearest code in the latent space of the model: clipped to a box, or scaled to a sphere. */
  constrain(z: Float32Array): Float32Array {
    if (this.header.space === "box") return z.map((value) => Math.min(0.9999, Math.max(-0.9999, value)));
    if (this.header.space !== "sphere") return z;
    const length = Math.hypot(...z) || 1;
    return z.map((value) => value / length);
  }

  /**
   * The decoded image of a code, [*X], which the next call overwrites; null if the page cannot run
   * the decoder. A conditional model decodes for the class `label`, or with the vector of the
   * example `like`.
   */
  decode(z: Float32Array, label = this.label, like?: number): Float32Array | null {
    if (!this.decoder) return null;
    const inputs = this.context.length ? [z, this.fillContext(label, like)] : [z];
    return this.decoder.run(...inputs)[0] as Float32Array;
  }

  /** The code of an image [*X] with values in [0, 1]. */
  encode(x: Float32Array, label = this.label, like?: number): Encoding | null {
    if (!this.encoder) return null;
    const inputs = this.encoder.inputs.length > 1 ? [x, this.fillContext(label, like)] : [x];
    // Zeros ask the model for its own prediction of the label.
    if (this.header.context?.predicted) inputs[1]?.fill(0);
    const [z, scale] = this.encoder.run(...inputs);
    return { z: (z as Float32Array).slice(), scale: scale ? scale.slice() : null };
  }

  /** The context as the model takes it in Python: a label, a vector, or null without one. */
  pythonContext(label: number, like: number): number | number[] | null {
    if (!this.header.context) return null;
    return this.conditional ? label : [...this.fillContext(label, like)];
  }

  /** The label of an example. */
  labelOf(which: number): number {
    return this.conditional && this.contextValues ? (this.contextValues[which] as number) : this.label;
  }

  /** The example whose code is nearest to a code. */
  nearest(z: Float32Array): Nearest {
    if (this.codebook || this.codes === null) return nearestRow(this.points, this.project(z), 2);
    return nearestRow(this.codes, z, this.d);
  }

  /** The position of a code on the plane. */
  project(z: Float32Array): Float32Array {
    const at = new Float32Array(2);
    for (let i = 0; i < this.d; i++) {
      const offset = (z[i] as number) - (this.origin[i] as number);
      at[0] = (at[0] as number) + offset * (this.axes[i] as number);
      at[1] = (at[1] as number) + offset * (this.axes[this.d + i] as number);
    }
    return at;
  }

  /** The code at a position of the plane; the directions outside the plane are those of `current`. */
  lift(x: number, y: number, current: Float32Array): Float32Array {
    const [currentX, currentY] = this.project(current) as unknown as [number, number];
    const [a, b] = [x - currentX, y - currentY];
    const z = new Float32Array(this.d);
    for (let i = 0; i < this.d; i++) {
      z[i] = (current[i] as number) + a * (this.axes[i] as number) + b * (this.axes[this.d + i] as number);
    }
    return z;
  }

  private fillContext(label: number, like = 0): Float32Array {
    const { length } = this.context;
    if (this.conditional) {
      this.context.fill(0);
      this.context[label] = 1;
    } else {
      this.context.set((this.contextValues as Float32Array).subarray(like * length, (like + 1) * length));
    }
    return this.context;
  }
}

/** The codebooks of a model with discrete codes, and the indices of every example. */
export class Codebook {
  readonly books: number;
  /** Entries of each codebook. */
  readonly entries: number;
  /** Indices of a code; more than its parts if each part is a sum of entries. */
  readonly groups: number;
  readonly positions: number;
  private readonly d: number;
  private readonly size: number;
  private readonly vectors: Float32Array;
  private readonly indices: Uint16Array | Uint32Array | Uint8Array;

  constructor(header: NonNullable<ModelHeader["codebook"]>, d: number, content: Content) {
    this.vectors = content.floats(header.vectors);
    this.indices = content.integers(header.indices);
    [this.books, this.entries, this.size] = header.vectors.shape as [number, number, number];
    this.positions = header.positions;
    this.groups = header.indices.shape[1] as number;
    this.d = d;
  }

  /** The indices of an example. */
  indicesOf(which: number): number[] {
    return [...this.indices.subarray(which * this.groups, (which + 1) * this.groups)];
  }

  code(which: number): Float32Array {
    return this.codeOf(this.indicesOf(which));
  }

  /** The code of indices; the first axis of a code is cut into groups, position by position. */
  codeOf(indices: readonly number[]): Float32Array {
    const z = new Float32Array(this.d);
    indices.forEach((entry, group) => {
      const vector = (Math.floor((group * this.books) / this.groups) * this.entries + entry) * this.size;
      const part = group % (this.d / this.size);
      const [band, position] = [Math.floor(part / this.positions), part % this.positions];
      for (let k = 0; k < this.size; k++) {
        const at = (band * this.size + k) * this.positions + position;
        z[at] = (z[at] as number) + (this.vectors[vector + k] as number);
      }
    });
    return z;
  }
}

function network(header: NetworkHeader | null, content: Content): Network | null {
  return header && new Network(parseGraph(header.graph), content.bytes(header.weights));
}

/** The row of [N, d] nearest to a point. */
export function nearestRow(rows: Float32Array, to: Float32Array, d: number): Nearest {
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
