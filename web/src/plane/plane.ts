/** The plane of one model: drawing and interaction. */

import { el, context2d } from "../dom";
import { type Point, inside } from "../geometry";
import type { ModelState, State } from "../state";
import { Signal, oncePerFrame, debounce } from "../signal";
import { Backdrop } from "./backdrop";
import { drawDensity } from "./density";
import { drawAxes, drawOver } from "./marks";
import { drawDots } from "./points";
import { View } from "./view";

/** Pixels around the cursor within which an example is marked. */
const MARK_RADIUS = 7;
/** Pixels that the pointer may move during a click. */
const CLICK_RADIUS = 4;
/** Pixels per press of an arrow key. */
const STEP = 8;

export class Plane {
  readonly element: HTMLElement;
  readonly view: View;
  /** Another part of the plane is visible. */
  readonly viewChanged = new Signal();
  /** The cursor in plane coordinates; null while it is outside. */
  cursor: Point | null = null;
  /** The line being drawn, in pixels. */
  line: Point[] = [];
  private readonly base = el("canvas", { class: "base", "aria-hidden": "true" });
  private readonly over = el("canvas", { class: "over", "aria-hidden": "true" });
  private readonly dots = document.createElement("canvas");
  private readonly shades = context2d(document.createElement("canvas"));
  private readonly backdrop: Backdrop;
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private readonly touches = new Map<number, Point>();
  private pressed: { at: Point; moved: boolean } | null = null;
  private readonly redraw = oncePerFrame(() => this.draw());
  readonly redrawOver = oncePerFrame(() => this.drawOver());
  private readonly refill = debounce(() => this.fill(), 140);

  constructor(
    private readonly state: State,
    readonly modelState: ModelState,
    /** Called with the code under the cursor, or null, and the example that has this code. */
    private readonly inspect: (z: Float32Array | null, which: number | null) => void,
  ) {
    this.element = el(
      "div",
      {
        class: "plane",
        tabindex: 0,
        role: "application",
        "aria-label":
          `Codes of ${modelState.model.header.name}. Arrow keys move the cursor, Enter pins its code, plus and minus zoom, ` +
          "0 shows all points, Escape removes the pins.",
      },
      this.base,
      this.over,
    );
    this.view = new View(480);
    this.view.fit(modelState.chart.points);
    this.backdrop = new Backdrop(
      modelState.painter,
      (x, y) => {
        const { lift } = modelState.chart;
        return lift && modelState.model.decode(lift(x, y, modelState.current));
      },
      this.redraw,
    );
    new ResizeObserver(([entry]) => entry && this.resize(entry.contentRect.width)).observe(this.element);
    this.listen();
    state.styleChanged.on(() => {
      this.redraw();
      this.refill();
    });
    state.markChanged.on(this.redrawOver);
    modelState.codeChanged.on(() => {
      this.redrawOver();
      if (!modelState.model.header.plane.is_latent_space || modelState.model.conditional) this.refill();
    });
    modelState.chartChanged.on(() => {
      this.cursor = null;
      this.backdrop.clear();
      this.reset();
    });
    this.dark.addEventListener("change", this.redraw);
  }

  /** Shows all points. */
  reset(): void {
    this.view.fit(this.modelState.chart.points);
    this.changed();
  }

  /** Redraws after a change of the view. */
  changed(): void {
    this.redraw();
    this.refill();
    this.viewChanged.emit();
  }

  /** Ends the interaction: no line, no cursor. */
  private leave(): void {
    this.line = [];
    this.cursor = null;
    this.state.mark(null);
    this.inspect(null, null);
    this.redrawOver();
  }

  /** All layers in one canvas. */
  flattened(): HTMLCanvasElement {
    this.draw();
    const canvas = document.createElement("canvas");
    canvas.width = this.base.width;
    canvas.height = this.base.height;
    const context = context2d(canvas);
    context.drawImage(this.base, 0, 0);
    context.drawImage(this.over, 0, 0);
    return canvas;
  }

  /** The layers behind the points in one canvas. */
  background(): HTMLCanvasElement {
    const canvas = document.createElement("canvas");
    canvas.width = this.base.width;
    canvas.height = this.base.height;
    const context = context2d(canvas);
    const ratio = canvas.width / this.view.side;
    context.scale(ratio, ratio);
    this.drawBackground(context);
    return canvas;
  }

  private resize(side: number): void {
    if (!(side > 0)) return;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    this.view.resize(side);
    for (const canvas of [this.base, this.over]) {
      canvas.width = canvas.height = Math.round(side * ratio);
    }
    // At once, since a resized canvas is empty.
    this.draw();
    this.refill();
  }

  private fill(): void {
    if (this.state.backdrop && this.modelState.chart.lift && this.modelState.model.decodes) this.backdrop.fill(this.view);
    else this.backdrop.clear();
    this.redraw();
  }

  private draw(): void {
    const context = context2d(this.base);
    const { width } = this.base;
    if (!width) return;
    const ratio = width / this.view.side;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.view.side, this.view.side);
    this.drawBackground(context);
    drawAxes(context, this.view, this.modelState.chart, getComputedStyle(this.element));
    if (this.state.dots) {
      const image = new ImageData(width, width);
      const plain = getComputedStyle(this.element).getPropertyValue("--accent").trim();
      const { points } = this.modelState.chart;
      const colours = this.state.colours(this.modelState, plain);
      const radius = (points.length > 40_000 ? 1 : points.length > 6_000 ? 1.4 : 2) * ratio;
      drawDots({ points, colours, faint: this.state.faint(this.modelState) }, this.view, image, radius);
      this.dots.width = this.dots.height = width;
      context2d(this.dots).putImageData(image, 0, 0);
      context.drawImage(this.dots, 0, 0, this.view.side, this.view.side);
    }
    this.drawOver();
  }

  private drawBackground(context: CanvasRenderingContext2D): void {
    const { side } = this.view;
    context.fillStyle = getComputedStyle(this.element).getPropertyValue("--card");
    context.fillRect(0, 0, side, side);
    if (this.state.backdrop) {
      context.globalAlpha = this.state.dots ? 0.5 : 1;
      // Grey images take the background colour of the page; colour images stay unchanged.
      const { image_shape: shape } = this.modelState.model.header;
      const grey = shape.length === 2 || (shape.length === 3 && shape[0] === 1);
      this.backdrop.draw(context, this.view, grey && !this.dark.matches);
      context.globalAlpha = 1;
    }
    if (this.state.density) {
      drawDensity(this.modelState.chart.points, this.view, this.shades, [47, 111, 176]);
      context.imageSmoothingEnabled = true;
      context.drawImage(this.shades.canvas, 0, 0, side, side);
    }
  }

  private drawOver(): void {
    const context = context2d(this.over);
    const ratio = this.over.width / this.view.side;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.view.side, this.view.side);
    drawOver(context, this, this.state, getComputedStyle(this.element));
  }

  // Interaction.

  private listen(): void {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => this.press(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    element.addEventListener("pointerup", (event) => this.release(event));
    element.addEventListener("pointercancel", (event) => this.cancel(event));
    element.addEventListener("pointerleave", () => this.touches.size || this.leave());
    element.addEventListener("blur", () => this.leave());
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
    if (this.state.tool !== "inspect" && this.touches.size === 1) this.line = [at];
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
    if (Math.hypot(at[0] - this.pressed.at[0], at[1] - this.pressed.at[1]) > CLICK_RADIUS) this.pressed.moved = true;
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
    else if (line.length > 2) this.drawn(line);
    if (event.pointerType === "touch") this.redrawOver();
  }

  private cancel(event: PointerEvent): void {
    this.touches.delete(event.pointerId);
    this.pressed = null;
    this.line = [];
    this.leave();
  }

  private drawn(line: Point[]): void {
    if (this.state.tool === "lasso") {
      const { points } = this.modelState.chart;
      const found = [];
      for (let i = 0; i < points.length / 2; i++) {
        const [x, y] = this.view.toScreen(points[2 * i] as number, points[2 * i + 1] as number);
        if (inside([x, y], line)) found.push(i);
      }
      this.state.select(found);
    } else if (this.modelState.chart.lift) {
      this.modelState.pins = [];
      this.modelState.path = line.map(([x, y]) => this.view.toPlane(x, y));
      this.modelState.codeChanged.emit();
    }
  }

  private click(at: Point): void {
    if (this.state.tool === "lasso") {
      this.state.select([]);
      return;
    }
    const [z] = this.under(at);
    this.modelState.pin(z);
  }

  /** The code at a pixel, and the example marked there. */
  private under([px, py]: Point): [z: Float32Array, which: number | null] {
    const { chart, model, current } = this.modelState;
    const which = this.closest([px, py], chart.lift ? MARK_RADIUS : Number.POSITIVE_INFINITY);
    if (!chart.lift) return [which === null ? current : model.code(which), which];
    return [chart.lift(...this.view.toPlane(px, py), current), which];
  }

  /** The example drawn nearest to a pixel, within a radius. */
  private closest([px, py]: Point, within: number): number | null {
    const [x, y] = this.view.toPlane(px, py);
    const { points } = this.modelState.chart;
    let [which, least] = [null as number | null, (within / this.view.length(1)) ** 2];
    for (let i = 0; i < points.length; i += 2) {
      const distance = ((points[i] as number) - x) ** 2 + ((points[i + 1] as number) - y) ** 2;
      if (distance < least) [which, least] = [i / 2, distance];
    }
    return which;
  }

  private point(at: Point): void {
    const [z, which] = this.under(at);
    const { chart } = this.modelState;
    this.cursor = this.view.toPlane(...at);
    if (!chart.lift && which !== null) {
      this.cursor = [chart.points[2 * which] as number, chart.points[2 * which + 1] as number];
    }
    this.state.mark(which);
    this.inspect(z, which);
    this.drawOver();
  }

  private key(event: KeyboardEvent): void {
    const [px, py] = this.cursor ? this.view.toScreen(...this.cursor) : [this.view.side / 2, this.view.side / 2];
    const step = event.shiftKey ? 5 * STEP : STEP;
    const to = (x: number, y: number): void => {
      const clamp = (value: number): number => Math.min(this.view.side - 1, Math.max(1, value));
      this.point([clamp(px + x), clamp(py + y)]);
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
        this.modelState.setPins([]);
        this.state.select([]);
      },
    };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }
}
