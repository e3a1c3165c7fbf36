/** The state of the page, with signals for its changes. */

import { type Chart, chartOf, defaultChart } from "./chart";
import type { ExamplesHeader, Header } from "./content";
import type { Point } from "./geometry";
import type { Encoding, Model } from "./model";
import type { Snapshot } from "./panels/snapshots";
import { type LatentGrid, Painter, type SpriteSheet } from "./picture";
import { colourOf } from "./plane/points";
import { Signal } from "./signal";

export type Colouring = "label" | "error" | "none";
export type Tool = "inspect" | "lasso" | "path";

/** The label of an example without one. */
export const UNLABELLED = 65_535;

/** One model, its current code, its pins and its chart. */
export class ModelState {
  readonly painter: Painter;
  chart: Chart;
  /** The current code: it is shown while the cursor is elsewhere. */
  current: Float32Array;
  pins: Float32Array[] = [];
  /** A path drawn on the plane. */
  path: Point[] = [];
  /** The code of the drawing. */
  drawn: Encoding | null = null;
  /** The current code, the pins, the path or the class changed. */
  readonly codeChanged = new Signal();
  readonly chartChanged = new Signal();

  constructor(readonly model: Model) {
    this.painter = new Painter(model.header.image_shape);
    this.chart = chartOf(model, defaultChart(model));
    this.current = this.start();
  }

  /** The first current code: the mean of all codes, or the first example if codes are discrete. */
  start(): Float32Array {
    return this.model.codebook ? this.model.code(0) : this.model.constrain(this.model.mean.slice());
  }

  setChart(key: string): void {
    this.chart = chartOf(this.model, key);
    this.path = [];
    this.chartChanged.emit();
  }

  setCode(z: Float32Array): void {
    this.current = z.slice();
    this.codeChanged.emit();
  }

  pin(z: Float32Array): void {
    this.current = z.slice();
    this.setPins([...this.pins, z.slice()]);
  }

  /** Replaces the pins; of more than two, the last two remain. */
  setPins(pins: readonly Float32Array[]): void {
    this.pins = pins.slice(-2);
    this.path = [];
    this.codeChanged.emit();
  }
}

/** The state of the page. */
export class State {
  readonly models: ModelState[];
  colouring: Colouring;
  backdrop: boolean;
  density = false;
  dots = true;
  /** Whether interpolation is spherical. */
  arc = false;
  tool: Tool = "inspect";
  /** The key of the step of the lesson; null outside of it. */
  lesson: string | null = null;
  /** Highlighted classes; none means all. */
  only = new Set<number>();
  /** Examples inside the lasso. */
  selected: number[] = [];
  /** The example under the cursor, marked in every model. */
  marked: number | null = null;
  /** The appearance of the planes changed. */
  readonly styleChanged = new Signal();
  readonly selectionChanged = new Signal();
  readonly markChanged = new Signal();
  readonly toolChanged = new Signal();
  readonly lessonChanged = new Signal();

  /** The images of the examples. */
  readonly sprites: SpriteSheet;
  /** For each model whose decoder the page cannot run. */
  readonly latentGrids: readonly (LatentGrid | null)[];
  /** For each model, the snapshots of its training. */
  readonly snapshots: readonly (readonly Snapshot[])[];
  /** The label of each example; null for data without labels. */
  readonly labels: Uint16Array | null;

  constructor(
    readonly header: Header,
    models: readonly Model[],
    shown: Pick<State, "sprites" | "latentGrids" | "snapshots" | "labels">,
  ) {
    ({ sprites: this.sprites, latentGrids: this.latentGrids, snapshots: this.snapshots, labels: this.labels } = shown);
    this.models = models.map((model) => new ModelState(model));
    // Behind two latent dimensions the images are the same at every current code.
    this.backdrop = header.examples.kind === "image" && models.every(({ header }) => header.plane.is_latent_space);
    this.colouring = this.labels ? "label" : "error";
  }

  get examples(): ExamplesHeader {
    return this.header.examples;
  }

  /** The name of the class of an example; "" without a label. */
  className(which: number): string {
    const label = this.labels?.[which];
    return label === undefined || label === UNLABELLED ? "" : (this.examples.classes[label] ?? "");
  }

  mark(which: number | null): void {
    if (which === this.marked) return;
    this.marked = which;
    this.markChanged.emit();
  }

  select(which: number[]): void {
    this.selected = which;
    this.selectionChanged.emit();
    this.styleChanged.emit();
  }

  setTool(tool: Tool): void {
    this.tool = tool;
    this.toolChanged.emit();
  }

  /** Highlights these classes only; none means all. */
  highlightOnly(labels: readonly number[]): void {
    this.only = new Set(labels);
    this.styleChanged.emit();
  }

  /** Highlights a class, or stops highlighting it. */
  highlight(label: number): void {
    if (!this.only.delete(label)) this.only.add(label);
    this.styleChanged.emit();
  }

  /** The colour of each example of a model. */
  colours({ model }: ModelState, plain: string): Uint32Array {
    const found = new Uint32Array(model.n).fill(colourOf(plain));
    const { labels } = this;
    if (this.colouring === "label" && labels) {
      const palette = this.examples.colours.map(colourOf);
      labels.forEach((label, i) => {
        found[i] = palette[label] ?? colourOf(plain);
      });
    } else if (this.colouring === "error") {
      const [low, high] = errorRange(model);
      model.errors.forEach((error, i) => {
        found[i] = viridis((error - low) / (high - low || 1));
      });
    }
    return found;
  }

  /** Which examples are drawn faintly; null if none is. */
  faint({ model }: ModelState): Uint8Array | null {
    const { labels, only, selected } = this;
    if (!selected.length && !(only.size && labels)) return null;
    const found = new Uint8Array(model.n).fill(selected.length ? 1 : 0);
    for (const which of selected) found[which] = 0;
    if (only.size && labels) {
      labels.forEach((label, i) => {
        if (!only.has(label)) found[i] = 1;
      });
    }
    return found;
  }
}

/** The range of the colours of errors: from the minimum to the 98th percentile. */
export function errorRange(model: Model): [low: number, high: number] {
  const sorted = model.errors.slice().sort();
  return [sorted[0] ?? 0, sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 1];
}

/** The viridis colour map, which remains readable with colour blindness. */
export function viridis(share: number): number {
  const t = Math.min(1, Math.max(0, share)) * (STOPS.length - 1);
  const k = Math.min(STOPS.length - 2, Math.floor(t));
  const mix = (c: number): number =>
    Math.round((STOPS[k]?.[c] ?? 0) * (1 - (t - k)) + (STOPS[k + 1]?.[c] ?? 0) * (t - k));
  return (0xff000000 | (mix(2) << 16) | (mix(1) << 8) | mix(0)) >>> 0;
}
const STOPS: readonly (readonly [number, number, number])[] = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];
