/** All that can change on the page, and who is told of it. */

import { type Chart, chartOf } from "./chart";
import type { ExamplesHeader, Header } from "./content";
import type { Point } from "./geometry";
import type { Model } from "./model";
import type { Frame } from "./panels/film";
import { type Lattice, Painter, type Sheet } from "./picture";
import { colourOf } from "./plane/points";
import { Topic } from "./topic";

export type Colouring = "label" | "error" | "none";
export type Tool = "look" | "lasso" | "path";

/** No label. */
export const UNLABELLED = 65_535;

/** One model and where one is in it. */
export class Seat {
  readonly painter: Painter;
  chart: Chart;
  /** The code that is shown while nothing is pointed at. */
  rest: Float32Array;
  pins: Float32Array[] = [];
  /** A line that was drawn through the plane. */
  path: Point[] = [];
  /** Codes that were encoded in the page, with the scale of their posterior. */
  drawn: { z: Float32Array; scale: Float32Array | null } | null = null;
  /** The code at rest, the pins, the path or the label changed. */
  readonly moved = new Topic();
  /** The chart changed. */
  readonly turned = new Topic();

  constructor(readonly model: Model) {
    this.painter = new Painter(model.header.image);
    this.chart = chartOf(model, "plane");
    this.rest = this.start();
  }

  /** Where one begins: the mean of the codes, or the first example where codes are discrete. */
  start(): Float32Array {
    return this.model.book ? this.model.code(0) : this.model.tamed(this.model.mean.slice());
  }

  turn(key: string): void {
    this.chart = chartOf(this.model, key);
    this.path = [];
    this.turned.say();
  }

  restAt(z: Float32Array): void {
    this.rest = z.slice();
    this.moved.say();
  }

  pin(z: Float32Array): void {
    this.rest = z.slice();
    this.pinAll([...this.pins, z.slice()]);
  }

  /** Takes these pins, at most the last two, in place of those that are there. */
  pinAll(pins: readonly Float32Array[]): void {
    this.pins = pins.slice(-2);
    this.path = [];
    this.moved.say();
  }
}

/** The page as a whole. */
export class State {
  readonly seats: Seat[];
  colouring: Colouring;
  backdrop = false;
  density = false;
  dots = true;
  arc = false;
  tool: Tool = "look";
  /** Classes that are picked out; none means all. */
  only = new Set<number>();
  /** Examples inside of the lasso. */
  selected: number[] = [];
  /** The example that is pointed at, in every model. */
  marked: number | null = null;
  /** What is drawn on the planes changed. */
  readonly restyled = new Topic();
  /** The selection changed. */
  readonly chosen = new Topic();
  /** Another example is marked. */
  readonly pointed = new Topic();
  /** The tool changed. */
  readonly taken = new Topic();

  /** The examples as pictures. */
  readonly sheet: Sheet;
  /** Of each model whose decoder the page cannot run. */
  readonly lattices: readonly (Lattice | null)[];
  /** Of each model, the steps of its training that were kept. */
  readonly films: readonly (readonly Frame[])[];
  /** Of each example; null where the data have none. */
  readonly labels: Uint16Array | null;

  constructor(
    readonly header: Header,
    models: readonly Model[],
    shown: Pick<State, "sheet" | "lattices" | "films" | "labels">,
  ) {
    ({ sheet: this.sheet, lattices: this.lattices, films: this.films, labels: this.labels } = shown);
    this.seats = models.map((model) => new Seat(model));
    this.colouring = this.labels ? "label" : "error";
  }

  get examples(): ExamplesHeader {
    return this.header.examples;
  }

  /** The class of an example in words; "" without one. */
  className(which: number): string {
    const label = this.labels?.[which];
    return label === undefined || label === UNLABELLED ? "" : (this.examples.classes[label] ?? "");
  }

  mark(which: number | null): void {
    if (which === this.marked) return;
    this.marked = which;
    this.pointed.say();
  }

  select(which: number[]): void {
    this.selected = which;
    this.chosen.say();
    this.restyled.say();
  }

  /** Picks a class out, or lets it go. */
  pick(label: number): void {
    if (!this.only.delete(label)) this.only.add(label);
    this.restyled.say();
  }

  /** The colour of each example of a model. */
  colours(seat: Seat, plain: string): Uint32Array {
    const found = new Uint32Array(seat.model.n).fill(colourOf(plain));
    const { labels } = this;
    if (this.colouring === "label" && labels) {
      const palette = this.examples.colours.map(colourOf);
      labels.forEach((label, i) => {
        found[i] = palette[label] ?? colourOf(plain);
      });
    } else if (this.colouring === "error") {
      const [low, high] = errorRange(seat.model);
      seat.model.errors.forEach((error, i) => {
        found[i] = heat((error - low) / (high - low || 1));
      });
    }
    return found;
  }

  /** Which examples stand back; null if none does. */
  faint(seat: Seat): Uint8Array | null {
    const { labels, only, selected } = this;
    if (!selected.length && !(only.size && labels)) return null;
    const back = new Uint8Array(seat.model.n).fill(selected.length ? 1 : 0);
    for (const which of selected) back[which] = 0;
    if (only.size && labels) {
      labels.forEach((label, i) => {
        if (!only.has(label)) back[i] = 1;
      });
    }
    return back;
  }
}

/** The errors that colours run over: the least, and one that 98 % stay under. */
export function errorRange(model: Model): [low: number, high: number] {
  const sorted = model.errors.slice().sort();
  return [sorted[0] ?? 0, sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 1];
}

/** A colour from violet (0) over teal to yellow (1), of rising lightness: told apart by all eyes. */
export function heat(share: number): number {
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
