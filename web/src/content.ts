/** The content of a page: the header and the arrays of one compressed file, checked when read. */

import type { Graph } from "./runtime/graph";
import { fromHalf } from "./runtime/half";

export interface Reference {
  kind: "float16" | "float32" | "uint8" | "uint16" | "uint32";
  shape: number[];
  offset: number;
}

/** Many small images in one, row by row; `exact` if they are the examples pixel by pixel. */
export interface SpriteSheetHeader {
  sprite_sheet: Reference;
  columns: number;
  cell: [height: number, width: number];
  exact: boolean;
}

export interface ExamplesHeader extends SpriteSheetHeader {
  /** Whether they are held-out examples of the data that all models were trained on. */
  held_out: boolean;
  count: number;
  total: number;
  part: string;
  /** Whether they were drawn stratified by class. */
  stratified: boolean;
  /** Position of each example in that part of the data. */
  rows: Reference;
  kind: "image" | "vector";
  labels: Reference | null;
  classes: string[];
  colours: string[];
}

/** One step of the training: codes on the plane, and decoded images of the square from low to high. */
export interface SnapshotHeader extends SpriteSheetHeader {
  step: number;
  points: Reference;
  low: [number, number];
  high: [number, number];
}

export interface NetworkHeader {
  graph: Graph;
  weights: Reference;
}

export interface PlaneHeader {
  origin: Reference;
  axes: Reference;
  /** The share of the variance of the codes along each axis. */
  explained_variance: [number, number];
  /** Whether the latent space has two dimensions, so that the plane is all of it. */
  is_latent_space: boolean;
}

/** What a conditional model receives besides the code: labels, or vectors. */
export interface ContextHeader {
  kind: "labels" | "vectors";
  size: number;
  /** Of each example. */
  values: Reference;
  /** Whether the labels were predicted by the model. */
  predicted: boolean;
}

export interface ModelHeader {
  name: string;
  /** The folder of the run; empty for a module in memory. */
  folder: string;
  recipe: string;
  formula: string;
  space: "real" | "box" | "sphere" | "codes";
  code_shape: number[];
  image_shape: number[];
  points: Reference;
  plane: PlaneHeader;
  projections: { method: string; points: Reference }[];
  snapshots: SnapshotHeader[];
  code_mean: Reference;
  code_std: Reference;
  /** KL of each latent dimension, nats; null where it is not defined. */
  kl: number[] | null;
  /** Of each reconstruction, summed over its pixels. */
  squared_errors: Reference;
  /** For the terms of the loss; null where the page cannot compute one. */
  loss: {
    likelihood: { kind: "Gaussian" | "Laplace" | "Bernoulli"; scale: number | null } | null;
    /** A normal distribution with independent dimensions. */
    prior: { mean: Reference; scale: Reference } | null;
  };
  samples: { codes: Reference; source: string };
  context: ContextHeader | null;
  corruption: ({ kind: string } & Record<string, unknown>) | null;
  decoder: NetworkHeader | null;
  encoder: NetworkHeader | null;
  decoder_unsupported?: string;
  encoder_unsupported?: string;
  codes?: Reference;
  /** The vectors are [codebooks, entries, dimensions]; the indices of a code are in equal parts of each codebook. */
  codebook?: { vectors: Reference; indices: Reference; positions: number };
  latent_grid?: SpriteSheetHeader & { side: number; low: [number, number]; high: [number, number] };
}

export interface Header {
  format: number;
  made_by: string;
  data: string;
  /** Whether the server makes newer pages. */
  watched: boolean;
  /** A latent dimension is active if its KL, mean over the examples, is above this. */
  min_active_kl_nats: number;
  examples: ExamplesHeader;
  models: ModelHeader[];
}

const MAGIC = "AEXPLORE";
const FORMAT = 1;
const BYTES = { float16: 2, float32: 4, uint8: 1, uint16: 2, uint32: 4 } as const;

/** The header of a file, and its arrays by reference. */
export class Content {
  constructor(
    readonly header: Header,
    private readonly blobs: ArrayBuffer,
  ) {}

  /** An array as float32. */
  floats(of: Reference): Float32Array {
    if (of.kind === "float32") return new Float32Array(this.raw(of));
    if (of.kind !== "float16") throw damaged(`an array of kind ${of.kind} in place of floats`);
    return fromHalf(new Uint16Array(this.bytes(of).buffer));
  }

  /** An array of integers. */
  integers(of: Reference): Uint16Array | Uint32Array | Uint8Array<ArrayBuffer> {
    const raw = this.raw(of);
    if (of.kind === "uint16") return new Uint16Array(raw);
    if (of.kind === "uint32") return new Uint32Array(raw);
    return new Uint8Array(raw);
  }

  /** An array as bytes in the order of memory; or a file, such as an image. */
  bytes(of: Reference): Uint8Array<ArrayBuffer> {
    const raw = new Uint8Array(this.raw(of));
    return of.kind === "float16" ? interleaved(raw) : raw;
  }

  private raw(of: Reference): ArrayBuffer {
    const bytes = of.shape.reduce((product, side) => product * side, 1) * BYTES[of.kind];
    if (!(of.offset >= 0 && of.offset + bytes <= this.blobs.byteLength)) throw damaged("missing data at its end");
    return this.blobs.slice(of.offset, of.offset + bytes);
  }
}

/** Reads a file as `autoencode explore` writes it. */
export async function readContent(compressed: Uint8Array<ArrayBuffer>): Promise<Content> {
  const file = await decompressed(compressed);
  const magic = String.fromCharCode(...new Uint8Array(file, 0, Math.min(8, file.byteLength)));
  if (magic !== MAGIC || file.byteLength < 12) {
    throw new Error("This is not a file of the explorer. Make one: autoencode explore RUN --html out.html");
  }
  const length = new DataView(file).getUint32(8, true);
  if (12 + length > file.byteLength) throw damaged("an incomplete header");
  let header: Header;
  try {
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 12, length))) as Header;
  } catch {
    throw damaged("a header that is not JSON");
  }
  if (header.format !== FORMAT) {
    throw new Error(
      `This file has format ${header.format}, and the page reads format ${FORMAT}. ` +
        "Write it again: autoencode explore RUN --html out.html",
    );
  }
  if (!Array.isArray(header.models) || !header.models.length || !header.examples) throw damaged("no model");
  return new Content(header, file.slice(12 + length));
}

/** The digits of base 85 as Python writes them, without the characters that HTML escapes. */
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%.()*+-;,=/?@^_`{|}~";

/** The bytes of base85 text: five digits for four bytes, fewer at the end. */
export function fromBase85(text: string): Uint8Array<ArrayBuffer> {
  const trimmed = text.trim();
  const values = new Int16Array(128).fill(-1);
  for (let digit = 0; digit < DIGITS.length; digit++) values[DIGITS.charCodeAt(digit)] = digit;
  const bytes = new Uint8Array(Math.floor((trimmed.length * 4) / 5));
  if (!bytes.length || trimmed.length % 5 === 1) throw damaged("incomplete content");
  for (let from = 0, to = 0; from < trimmed.length; from += 5) {
    let group = 0;
    for (let i = from; i < from + 5; i++) {
      const value = i < trimmed.length ? (values[trimmed.charCodeAt(i)] ?? -1) : DIGITS.length - 1;
      if (value < 0) throw damaged("invalid characters");
      group = group * DIGITS.length + value;
    }
    if (group > 0xffffffff) throw damaged("invalid content");
    for (let shift = 24; shift >= 0 && to < bytes.length; shift -= 8) bytes[to++] = group >>> shift;
  }
  return bytes;
}

async function decompressed(compressed: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  try {
    const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return await new Response(stream).arrayBuffer();
  } catch {
    throw damaged("content that cannot be decompressed");
  }
}

/** Pairs of bytes from all first bytes followed by all second bytes. */
function interleaved(planes: Uint8Array): Uint8Array<ArrayBuffer> {
  const n = planes.length >> 1;
  const pairs = new Uint8Array(2 * n);
  for (let i = 0; i < n; i++) {
    pairs[2 * i] = planes[i] as number;
    pairs[2 * i + 1] = planes[n + i] as number;
  }
  return pairs;
}

function damaged(how: string): Error {
  return new Error(`This file is damaged: it has ${how}. Write it again: autoencode explore RUN --html out.html`);
}
