/** The plane of one model: what is drawn on it, and what the hand does there. */

import { el, pen } from "../dom";
import { type Point, inside } from "../geometry";
import type { Seat, State } from "../state";
import { Topic, once, settled } from "../topic";
import { Backdrop } from "./backdrop";
import { drawDensity } from "./density";
import { drawGround, drawOver } from "./marks";
import { drawDots } from "./points";
import { View } from "./view";

/** Pixels within which the cursor means the example under it. */
const NEAR = 7;
/** Pixels that a press may move and still be a click. */
const STILL = 4;
/** Pixels that an arrow key moves the cursor. */
const STEP = 8;

export class Plane {
  readonly element: HTMLElement;
  readonly view: View;
  /** Another part of the plane is seen. */
  readonly seen = new Topic();
  /** Where the cursor is, in places of the plane; null while it is elsewhere. */
  cursor: Point | null = null;
  /** The line that is being drawn, in pixels. */
  line: Point[] = [];
  private readonly base = el("canvas", { class: "base", "aria-hidden": "true" });
  private readonly over = el("canvas", { class: "over", "aria-hidden": "true" });
  private readonly dots = document.createElement("canvas");
  private readonly shades = pen(document.createElement("canvas"));
  private readonly backdrop: Backdrop;
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private readonly touches = new Map<number, Point>();
  private pressed: { at: Point; moved: boolean } | null = null;
  private readonly redraw = once(() => this.draw());
  readonly redrawOver = once(() => this.drawOver());
  private readonly refill = settled(() => this.fill(), 140);

  constructor(
    private readonly state: State,
    readonly seat: Seat,
    /** Tells of the code under the cursor, and of none. */
    private readonly look: (z: Float32Array | null, which: number | null) => void,
  ) {
    this.element = el(
      "div",
      {
        class: "plane",
        tabindex: 0,
        role: "application",
        "aria-label":
          `Codes of ${seat.model.header.name}. Arrow keys move the cursor, Enter pins it, plus and minus zoom, ` +
          "0 shows everything, Escape takes the pins away.",
      },
      this.base,
      this.over,
    );
    this.view = new View(480);
    this.view.fit(seat.chart.points);
    this.backdrop = new Backdrop(
      seat.painter,
      (x, y) => {
        const { lift } = seat.chart;
        return lift && seat.model.decode(lift(x, y, seat.rest));
      },
      this.redraw,
    );
    new ResizeObserver(([entry]) => entry && this.resize(entry.contentRect.width)).observe(this.element);
    this.listen();
    state.restyled.on(() => {
      this.redraw();
      this.refill();
    });
    state.pointed.on(this.redrawOver);
    seat.moved.on(() => {
      this.redrawOver();
      if (!seat.model.header.plane.whole || seat.model.conditional) this.refill();
    });
    seat.turned.on(() => {
      this.cursor = null;
      this.backdrop.clear();
      this.reset();
    });
    this.dark.addEventListener("change", this.redraw);
  }

  /** Shows all points. */
  reset(): void {
    this.view.fit(this.seat.chart.points);
    this.changed();
  }

  /** What is seen changed. */
  changed(): void {
    this.redraw();
    this.refill();
    this.seen.say();
  }

  /** Takes the tools off: no line, no cursor. */
  rest(): void {
    this.line = [];
    this.cursor = null;
    this.state.mark(null);
    this.look(null, null);
    this.redrawOver();
  }

  /** All layers in one canvas, for a picture of the plane. */
  flat(): HTMLCanvasElement {
    this.draw();
    const whole = document.createElement("canvas");
    whole.width = this.base.width;
    whole.height = this.base.height;
    const context = pen(whole);
    context.drawImage(this.base, 0, 0);
    context.drawImage(this.over, 0, 0);
    return whole;
  }

  /** What lies behind the points, alone. */
  behind(): HTMLCanvasElement {
    const whole = document.createElement("canvas");
    whole.width = this.base.width;
    whole.height = this.base.height;
    const context = pen(whole);
    const ratio = whole.width / this.view.side;
    context.scale(ratio, ratio);
    this.drawBehind(context);
    return whole;
  }

  private resize(side: number): void {
    if (!(side > 0)) return;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    this.view.resize(side);
    for (const canvas of [this.base, this.over]) {
      canvas.width = canvas.height = Math.round(side * ratio);
    }
    // At once: a canvas that has a new size is empty.
    this.draw();
    this.refill();
  }

  private fill(): void {
    if (this.state.backdrop && this.seat.chart.lift && this.seat.model.decodes) this.backdrop.fill(this.view);
    else this.backdrop.clear();
    this.redraw();
  }

  private draw(): void {
    const context = pen(this.base);
    const { width } = this.base;
    if (!width) return;
    const ratio = width / this.view.side;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.view.side, this.view.side);
    this.drawBehind(context);
    drawGround(context, this.view, this.seat.chart, getComputedStyle(this.element));
    if (this.state.dots) {
      const image = new ImageData(width, width);
      const plain = getComputedStyle(this.element).getPropertyValue("--accent").trim();
      const { points } = this.seat.chart;
      const colours = this.state.colours(this.seat, plain);
      const radius = (points.length > 40_000 ? 1 : points.length > 6_000 ? 1.4 : 2) * ratio;
      drawDots({ points, colours, faint: this.state.faint(this.seat) }, this.view, image, radius);
      this.dots.width = this.dots.height = width;
      pen(this.dots).putImageData(image, 0, 0);
      context.drawImage(this.dots, 0, 0, this.view.side, this.view.side);
    }
    this.drawOver();
  }

  private drawBehind(context: CanvasRenderingContext2D): void {
    const { side } = this.view;
    context.fillStyle = getComputedStyle(this.element).getPropertyValue("--card");
    context.fillRect(0, 0, side, side);
    if (this.state.backdrop) {
      context.globalAlpha = this.state.dots ? 0.5 : 1;
      // Grey images are shapes on a ground, which is that of the page; colours stay what they are.
      const { image } = this.seat.model.header;
      const grey = image.length === 2 || (image.length === 3 && image[0] === 1);
      this.backdrop.draw(context, this.view, grey && !this.dark.matches);
      context.globalAlpha = 1;
    }
    if (this.state.density) {
      drawDensity(this.seat.chart.points, this.view, this.shades, [47, 111, 176]);
      context.imageSmoothingEnabled = true;
      context.drawImage(this.shades.canvas, 0, 0, side, side);
    }
  }

  private drawOver(): void {
    const context = pen(this.over);
    const ratio = this.over.width / this.view.side;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.view.side, this.view.side);
    drawOver(context, this, this.state, getComputedStyle(this.element));
  }

  // The hand.

  private listen(): void {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => this.press(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    element.addEventListener("pointerup", (event) => this.release(event));
    element.addEventListener("pointercancel", (event) => this.cancel(event));
    element.addEventListener("pointerleave", () => this.touches.size || this.rest());
    element.addEventListener("blur", () => this.rest());
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...this.at(event));
        this.changed();
        this.point(this.at(event));
      },
      { passive: false },
    );
    element.addEventListener("dblclick", () => this.reset());
  }

  private at(event: MouseEvent): [number, number] {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0) return;
    const at = this.at(event);
    this.element.setPointerCapture(event.pointerId);
    this.touches.set(event.pointerId, at);
    this.pressed = { at, moved: this.touches.size > 1 };
    if (this.state.tool !== "look" && this.touches.size === 1) this.line = [at];
    else this.line = [];
    this.point(at);
  }

  private move(event: PointerEvent): void {
    const at = this.at(event);
    const before = this.touches.get(event.pointerId);
    if (!before || !this.pressed) {
      this.point(at);
      return;
    }
    const others = [...this.touches].filter(([id]) => id !== event.pointerId);
    this.touches.set(event.pointerId, at);
    if (Math.hypot(at[0] - this.pressed.at[0], at[1] - this.pressed.at[1]) > STILL) this.pressed.moved = true;
    const other = others[0]?.[1];
    if (other) {
      const spread = ([x, y]: Point): number => Math.hypot(x - other[0], y - other[1]) || 1;
      this.view.zoom(spread(at) / spread(before), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
      this.view.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
      this.changed();
    } else if (this.line.length) {
      this.line.push(at);
      this.point(at);
    } else if (this.pressed.moved) {
      this.view.pan(at[0] - before[0], at[1] - before[1]);
      this.changed();
    }
  }

  private release(event: PointerEvent): void {
    const { pressed } = this;
    this.touches.delete(event.pointerId);
    if (this.touches.size || !pressed) return;
    this.pressed = null;
    const { line } = this;
    this.line = [];
    if (!pressed.moved) this.click(this.at(event));
    else if (line.length > 2) this.drew(line);
    if (event.pointerType === "touch") this.redrawOver();
  }

  private cancel(event: PointerEvent): void {
    this.touches.delete(event.pointerId);
    this.pressed = null;
    this.line = [];
    this.rest();
  }

  private drew(line: Point[]): void {
    if (this.state.tool === "lasso") {
      const { points } = this.seat.chart;
      const found = [];
      for (let i = 0; i < points.length / 2; i++) {
        const [x, y] = this.view.toScreen(points[2 * i] as number, points[2 * i + 1] as number);
        if (inside([x, y], line)) found.push(i);
      }
      this.state.select(found);
    } else if (this.seat.chart.lift) {
      this.seat.pins = [];
      this.seat.path = line.map(([x, y]) => this.view.toPlane(x, y));
      this.seat.moved.say();
    }
  }

  private click(at: Point): void {
    if (this.state.tool === "lasso") {
      this.state.select([]);
      return;
    }
    const [z] = this.under(at);
    this.seat.pin(z);
  }

  /** The code at a pixel, and the example that is meant by it. */
  private under([px, py]: Point): [z: Float32Array, which: number | null] {
    const { chart, model, rest } = this.seat;
    const which = this.closest([px, py], chart.lift ? NEAR : Number.POSITIVE_INFINITY);
    if (!chart.lift) return [which === null ? rest : model.code(which), which];
    return [chart.lift(...this.view.toPlane(px, py), rest), which];
  }

  /** The example drawn nearest to a pixel, within so many pixels. */
  private closest([px, py]: Point, within: number): number | null {
    const [x, y] = this.view.toPlane(px, py);
    const { points } = this.seat.chart;
    let [which, least] = [null as number | null, (within / this.view.length(1)) ** 2];
    for (let i = 0; i < points.length; i += 2) {
      const distance = ((points[i] as number) - x) ** 2 + ((points[i + 1] as number) - y) ** 2;
      if (distance < least) [which, least] = [i / 2, distance];
    }
    return which;
  }

  private point(at: Point): void {
    const [z, which] = this.under(at);
    const { chart } = this.seat;
    this.cursor = this.view.toPlane(...at);
    if (!chart.lift && which !== null) {
      this.cursor = [chart.points[2 * which] as number, chart.points[2 * which + 1] as number];
    }
    this.state.mark(which);
    this.look(z, which);
    this.drawOver();
  }

  private key(event: KeyboardEvent): void {
    const [px, py] = this.cursor ? this.view.toScreen(...this.cursor) : [this.view.side / 2, this.view.side / 2];
    const step = event.shiftKey ? 5 * STEP : STEP;
    const to = (x: number, y: number): void => {
      const kept = (value: number): number => Math.min(this.view.side - 1, Math.max(1, value));
      this.point([kept(px + x), kept(py + y)]);
    };
    const zoom = (factor: number): void => {
      this.view.zoom(factor, px, py);
      this.changed();
    };
    const keys: Record<string, () => void> = {
      ArrowLeft: () => to(-step, 0),
      ArrowRight: () => to(step, 0),
      ArrowUp: () => to(0, -step),
      ArrowDown: () => to(0, step),
      Enter: () => this.click([px, py]),
      " ": () => this.click([px, py]),
      "+": () => zoom(1.25),
      "=": () => zoom(1.25),
      "-": () => zoom(0.8),
      "0": () => this.reset(),
      Escape: () => {
        this.seat.pinAll([]);
        this.state.select([]);
      },
    };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }
}
