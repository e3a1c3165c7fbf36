/** What is under the cursor: the decoded image, and the nearest example beside it. */

import { button, digits, el, pen } from "../dom";
import { Remote } from "../remote";
import type { Seat, State } from "../state";

const SHOWN = 168;
/** More numbers of a code than these are not printed. */
const PRINTED = 6;

export class Look {
  readonly element: HTMLElement;
  /** The code that is shown. */
  z: Float32Array;
  private readonly remote: Remote;
  private readonly decoded: CanvasRenderingContext2D;
  private readonly real: CanvasRenderingContext2D;
  private readonly where = el("span", { class: "figure" });
  private readonly near = el("span", { class: "figure" });
  private readonly copied = el("p", { class: "says", role: "status" });
  private readonly lines = el("textarea", { class: "lines", readonly: true, hidden: true, rows: 5, "aria-label": "Lines of Python" });
  private readonly spoken = el("p", { class: "unseen", "aria-live": "polite" });

  constructor(
    private readonly state: State,
    private readonly seat: Seat,
    private readonly number: number,
  ) {
    this.remote = new Remote(seat.model, number);
    const { painter, model } = seat;
    const image = painter.canvas(`Decoded by ${model.header.name}`, SHOWN);
    const example = painter.canvas("The nearest example", SHOWN);
    example.width = state.sheet.width;
    example.height = state.sheet.height;
    this.decoded = pen(image);
    this.real = pen(example);
    this.z = seat.rest;
    this.element = el(
      "aside",
      { class: "look" },
      el("figure", {}, image, el("figcaption", {}, el("b", {}, "decoded"), this.where)),
      el("figure", {}, example, el("figcaption", {}, el("b", {}, "nearest example"), this.near)),
      el(
        "div",
        { class: "acts" },
        button("Copy as Python", "Copies lines that decode this code", () => void this.copy()),
      ),
      this.copied,
      this.lines,
      this.spoken,
    );
    seat.moved.on(() => this.show(null, null));
    seat.turned.on(() => this.show(null, null));
    state.pointed.on(() => this.follow());
    this.show(null, null);
  }

  /** Shows a code, or the one at rest; `which` is an example whose code it is. */
  show(z: Float32Array | null, which: number | null): void {
    const { seat, state } = this;
    const { model } = seat;
    this.z = z ?? seat.rest;
    this.copied.textContent = "";
    const { which: nearest, distance } = which === null || !model.book ? model.nearest(this.z) : { which, distance: 0 };
    const image = model.decode(this.z, undefined, nearest);
    if (image) seat.painter.paint(this.decoded, image);
    else this.without(this.z);
    state.sheet.draw(this.real, nearest, 0, 0, state.sheet.width, state.sheet.height);
    const place = z ? codeWords(this.z) : `at rest ${codeWords(this.z)}`;
    this.where.textContent = place;
    const name = state.className(nearest);
    this.near.textContent = `${name ? `“${name}”, ` : ""}${digits(distance)} away`;
    if (document.activeElement?.classList.contains("plane")) {
      this.spoken.textContent = `Code ${place}. Nearest example ${this.near.textContent}`;
    }
  }

  /** Shows a code that the page cannot decode: by the server, or by the nearest of some pictures. */
  private without(z: Float32Array): void {
    const { model, painter } = this.seat;
    if (Remote.there) {
      this.remote.ask(
        z,
        model.label,
        (image) => painter.paint(this.decoded, image),
        (why) => {
          this.where.textContent = why;
        },
      );
      return;
    }
    const lattice = this.state.lattices[this.number];
    if (lattice) lattice.sheet.draw(this.decoded, lattice.cell(model.project(z)), 0, 0, painter.width, painter.height);
  }

  /** Another model points at an example: shows what this one makes of it. */
  private follow(): void {
    const { marked } = this.state;
    const elsewhere = !document.querySelector(`.plane[data-seat="${this.number}"]:hover`);
    if (this.state.seats.length < 2 || !elsewhere) return;
    if (marked === null) this.show(null, null);
    else this.show(this.seat.model.code(marked), marked);
  }

  private async copy(): Promise<void> {
    this.lines.value = python(this.seat, this.z);
    try {
      await navigator.clipboard.writeText(this.lines.value);
      this.copied.textContent = "Copied.";
      this.lines.hidden = true;
    } catch {
      // A frame, or a browser, may keep the clipboard to itself.
      this.copied.textContent = "This page may not copy by itself; here are the lines:";
      this.lines.hidden = false;
      this.lines.select();
    }
  }
}

/** A code in words; of a long one, that it is long. */
export function codeWords(z: Float32Array): string {
  if (z.length > PRINTED) return `(${[...z.subarray(0, 3)].map((value) => digits(value)).join(", ")}, … ${z.length} numbers)`;
  return `(${[...z].map((value) => digits(value)).join(", ")})`;
}

/** Lines of Python that decode a code with the model of the run. */
export function python({ model }: Seat, z: Float32Array): string {
  const { folder, shape } = model.header;
  const numbers = [...z].map((value) => Number(value.toPrecision(7))).join(", ");
  const code = shape.length === 1 ? `torch.tensor([[${numbers}]])` : `torch.tensor([${numbers}]).reshape(1, ${shape.join(", ")})`;
  const told = model.conditional ? `, torch.tensor([${model.label}])` : "";
  return [
    "import torch",
    "import autoencode as ae",
    "",
    `model = ae.load(${JSON.stringify(folder)})`,
    `z = ${code}`,
    `image = model.decoder(z${told})`,
    "",
  ].join("\n");
}
