/** What a page shows: the header and the numbers of one packed file, checked as they are read. */

import type { Graph } from "./runtime/graph";
import { fromHalf } from "./runtime/half";

export interface Reference {
  kind: "float16" | "float32" | "uint8" | "uint16" | "uint32";
  shape: number[];
  offset: number;
}

/** Small pictures, row by row in one; `exact` if they are the examples pixel by pixel. */
export interface SheetHeader {
  sheet: Reference;
  columns: number;
  cell: [height: number, width: number];
  exact: boolean;
}

export interface ExamplesHeader extends SheetHeader {
  /** Whether no model was trained on any of them. */
  unseen: boolean;
  shown: number;
  of: number;
  part: string;
  /** Where in that part each example stands. */
  rows: Reference;
  kind: "image" | "vector";
  labels: Reference | null;
  classes: string[];
  colours: string[];
}

/** One step of the training: codes on the plane, and pictures of the square from low to high. */
export interface FrameHeader extends SheetHeader {
  step: number;
  points: Reference;
  low: [number, number];
  high: [number, number];
}

export interface NetworkHeader {
  graph: Graph;
  weights: Reference;
}

export interface ModelHeader {
  name: string;
  folder: string;
  recipe: string;
  formula: string;
  space: "real" | "box" | "sphere" | "codes";
  /** Of one code and of one example. */
  shape: number[];
  image: number[];
  points: Reference;
  plane: { origin: Reference; axes: Reference; share: [number, number]; whole: boolean };
  maps: { method: string; points: Reference }[];
  film: FrameHeader[];
  mean: Reference;
  spread: Reference;
  /** KL of each number of the code. */
  nats: number[] | null;
  errors: Reference;
  samples: { codes: Reference; how: string };
  context: { source: "labels" | "vectors"; width: number; told: Reference; told_by: "data" | "model" } | null;
  corruption: ({ kind: string } & Record<string, unknown>) | null;
  decoder: NetworkHeader | null;
  encoder: NetworkHeader | null;
  decoder_lacks?: string;
  encoder_lacks?: string;
  codes?: Reference;
  book?: { values: Reference; index: Reference; places: number };
  lattice?: SheetHeader & { side: number; low: [number, number]; high: [number, number] };
}

export interface Header {
  format: number;
  made_by: string;
  data: string;
  /** Whether the server makes newer pages. */
  watched: boolean;
  examples: ExamplesHeader;
  models: ModelHeader[];
}

const MAGIC = "AEXPLORE";
const FORMAT = 1;
const BYTES = { float16: 2, float32: 4, uint8: 1, uint16: 2, uint32: 4 } as const;

/** The header of a packed file, and its numbers by reference. */
export class Content {
  constructor(
    readonly header: Header,
    private readonly blobs: ArrayBuffer,
  ) {}

  /** Numbers as float32; float16 ones are widened. */
  floats(of: Reference): Float32Array {
    if (of.kind === "float32") return new Float32Array(this.raw(of));
    if (of.kind !== "float16") throw damaged(`numbers of kind ${of.kind} where fractions belong`);
    return fromHalf(new Uint16Array(this.bytes(of).buffer));
  }

  /** Whole numbers. */
  whole(of: Reference): Uint16Array | Uint32Array | Uint8Array<ArrayBuffer> {
    const raw = this.raw(of);
    if (of.kind === "uint16") return new Uint16Array(raw);
    if (of.kind === "uint32") return new Uint32Array(raw);
    return new Uint8Array(raw);
  }

  /** Numbers as bytes, in the order of memory; or a file, such as a picture. */
  bytes(of: Reference): Uint8Array<ArrayBuffer> {
    const raw = new Uint8Array(this.raw(of));
    return of.kind === "float16" ? together(raw) : raw;
  }

  private raw(of: Reference): ArrayBuffer {
    const bytes = of.shape.reduce((product, side) => product * side, 1) * BYTES[of.kind];
    if (!(of.offset >= 0 && of.offset + bytes <= this.blobs.byteLength)) throw damaged("numbers missing at its end");
    return this.blobs.slice(of.offset, of.offset + bytes);
  }
}

/** Unpacks a file as `autoencode explore` writes it. */
export async function readContent(packed: Uint8Array<ArrayBuffer>): Promise<Content> {
  const whole = await unpacked(packed);
  const magic = String.fromCharCode(...new Uint8Array(whole, 0, Math.min(8, whole.byteLength)));
  if (magic !== MAGIC || whole.byteLength < 12) {
    throw new Error("This is no file of the explorer. Make one: autoencode explore RUN --html out.html");
  }
  const length = new DataView(whole).getUint32(8, true);
  if (12 + length > whole.byteLength) throw damaged("its header cut off");
  let header: Header;
  try {
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(whole, 12, length))) as Header;
  } catch {
    throw damaged("a header that cannot be read");
  }
  if (header.format !== FORMAT) {
    throw new Error(
      `This file has format ${header.format}, and the page reads format ${FORMAT}. ` +
        "Write it again with one version: autoencode explore RUN --html out.html",
    );
  }
  if (!Array.isArray(header.models) || !header.models.length || !header.examples) throw damaged("no model in it");
  return new Content(header, whole.slice(12 + length));
}

/** Signs that stand for digits: the printable ones but for three that HTML reads. */
const SIGNS = Array.from({ length: 94 }, (_, i) => 0x21 + i).filter((sign) => !'"&<'.includes(String.fromCharCode(sign)));
const BITS = 13;

/** The bytes that text stands for: their number, a colon, and two signs for thirteen bits. */
export function fromText(text: string): Uint8Array<ArrayBuffer> {
  const trimmed = text.trim();
  const colon = trimmed.indexOf(":");
  const bytes = new Uint8Array(Number(trimmed.slice(0, Math.max(0, colon))) || 0);
  const digits = new Int16Array(128).fill(-1);
  SIGNS.forEach((sign, digit) => {
    digits[sign] = digit;
  });
  let [held, bits, at] = [0, 0, 0];
  for (let i = colon + 1; i < trimmed.length; i += 2) {
    const high = digits[trimmed.charCodeAt(i)] ?? -1;
    const low = digits[trimmed.charCodeAt(i + 1)] ?? -1;
    if (high < 0 || low < 0) throw damaged("signs in it that do not belong there");
    held = ((held << BITS) | (high * SIGNS.length + low)) & 0xfffff;
    bits += BITS;
    while (bits >= 8) {
      bits -= 8;
      if (at < bytes.length) bytes[at++] = held >> bits;
    }
  }
  if (!bytes.length || at < bytes.length) throw damaged("part of its content missing");
  return bytes;
}

async function unpacked(packed: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  try {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return await new Response(stream).arrayBuffer();
  } catch {
    throw damaged("content that cannot be unpacked");
  }
}

/** Pairs of bytes of which all first ones came first and then all second ones. */
function together(planes: Uint8Array): Uint8Array<ArrayBuffer> {
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
