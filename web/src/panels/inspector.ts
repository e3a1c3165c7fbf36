/** The code under the cursor: its decoded image, and the nearest example. */

import { button, context2d, el, fixed } from "../dom";
import { Remote } from "../remote";
import type { ModelState, State } from "../state";

const SHOWN = 168;
/** Longer codes are not printed completely. */
const MAX_PRINTED = 6;

export class Inspector {
  readonly element: HTMLElement;
  /** The code that is shown, and its nearest example. */
  private z: Float32Array;
  private nearest = 0;
  private readonly remote: Remote;
  private readonly decoded: CanvasRenderingContext2D;
  private readonly example: CanvasRenderingContext2D;
  private readonly codeText = el("span", { class: "value" });
  private readonly nearestText = el("span", { class: "value" });
  private readonly copied = el("p", { class: "note", role: "status" });
  private readonly lines = el("textarea", { class: "code-lines", readonly: true, hidden: true, rows: 5, "aria-label": "Python code" });
  private readonly announced = el("p", { class: "visually-hidden", "aria-live": "polite" });

  constructor(
    private readonly state: State,
    private readonly modelState: ModelState,
    private readonly number: number,
  ) {
    this.remote = new Remote(modelState.model, number);
    const { painter, model } = modelState;
    const image = painter.canvas(`Image decoded by ${model.header.name}`, SHOWN);
    const example = painter.canvas("Nearest example", SHOWN);
    example.width = state.sprites.width;
    example.height = state.sprites.height;
    this.decoded = context2d(image);
    this.example = context2d(example);
    this.z = modelState.current;
    this.element = el(
      "aside",
      { class: "inspector" },
      el("figure", {}, image, el("figcaption", {}, el("b", {}, "Decoded image"), this.codeText)),
      el("figure", {}, example, el("figcaption", {}, el("b", {}, "Nearest example"), this.nearestText)),
      el(
        "div",
        { class: "actions" },
        button("Copy as Python", "Copy Python code that decodes this code", () => void this.copy()),
      ),
      this.copied,
      this.lines,
      this.announced,
    );
    modelState.codeChanged.on(() => this.show(null, null));
    modelState.chartChanged.on(() => this.show(null, null));
    state.markChanged.on(() => this.follow());
    this.show(null, null);
  }

  /** Shows a code, or the current one; `which` is the example that has this code. */
  show(z: Float32Array | null, which: number | null): void {
    const { modelState, state } = this;
    const { model } = modelState;
    this.z = z ?? modelState.current;
    this.copied.textContent = "";
    const { which: nearest, distance } = which === null || !model.codebook ? model.nearest(this.z) : { which, distance: 0 };
    this.nearest = nearest;
    const image = model.decode(this.z, undefined, nearest);
    if (image) modelState.painter.paint(this.decoded, image);
    else this.showWithoutDecoder();
    state.sprites.draw(this.example, nearest, 0, 0, state.sprites.width, state.sprites.height);
    const code = z ? codeText(this.z) : `current code ${codeText(this.z)}`;
    this.codeText.textContent = code;
    const name = state.className(nearest);
    this.nearestText.textContent = `${name ? `class “${name}”, ` : ""}distance ${fixed(distance)}`;
    if (document.activeElement?.classList.contains("plane")) {
      this.announced.textContent = `Code ${codeText(this.z)}. Nearest example: ${this.nearestText.textContent}`;
    }
  }

  /** Shows the image of the code by the server, or the nearest one of the grid. */
  private showWithoutDecoder(): void {
    const { model, painter } = this.modelState;
    if (Remote.available) {
      this.remote.decode(
        this.z,
        this.nearest,
        (image) => painter.paint(this.decoded, image),
        (why) => {
          this.codeText.textContent = why;
        },
      );
      return;
    }
    const grid = this.state.latentGrids[this.number];
    if (grid) grid.sprites.draw(this.decoded, grid.cell(model.project(this.z)), 0, 0, painter.width, painter.height);
  }

  /** Shows the example under the cursor of another model. */
  private follow(): void {
    const { marked } = this.state;
    const elsewhere = !document.querySelector(`.plane[data-model="${this.number}"]:hover`);
    if (this.state.models.length < 2 || !elsewhere) return;
    if (marked === null) this.show(null, null);
    else this.show(this.modelState.model.code(marked), marked);
  }

  private async copy(): Promise<void> {
    this.lines.value = python(this.modelState, this.z, this.nearest);
    try {
      await navigator.clipboard.writeText(this.lines.value);
      this.copied.textContent = "Copied.";
      this.lines.hidden = true;
    } catch {
      // A frame or a browser may deny access to the clipboard.
      this.copied.textContent = "This page may not use the clipboard; copy the code from here:";
      this.lines.hidden = false;
      this.lines.select();
    }
  }
}

/** A code as text; a long one is abbreviated. */
function codeText(z: Float32Array): string {
  if (z.length > MAX_PRINTED) return `(${[...z.subarray(0, 3)].map((value) => fixed(value)).join(", ")}, … ${z.length} dimensions)`;
  return `(${[...z].map((value) => fixed(value)).join(", ")})`;
}

/** Python code that decodes a code with the model of the run, or with a module in memory. */
function python({ model }: ModelState, z: Float32Array, like: number): string {
  const { folder, code_shape: shape } = model.header;
  const list = (values: Iterable<number>): string => [...values].map((value) => Number(value.toPrecision(7))).join(", ");
  const code = shape.length === 1 ? `torch.tensor([[${list(z)}]])` : `torch.tensor([${list(z)}]).reshape(1, ${shape.join(", ")})`;
  const context = model.pythonContext(model.label, like);
  const second = context === null ? "" : `, torch.tensor([${typeof context === "number" ? context : `[${list(context)}]`}])`;
  if (folder === "") {
    return [
      "import torch",
      "from autoencode.models.foreign import as_autoencoder",
      "",
      `z = ${code}`,
      "image = as_autoencoder(module).decode(z).mean  # module: the nn.Module of this page",
      "",
    ].join("\n");
  }
  return [
    "import torch",
    "import autoencode as ae",
    "",
    `model = ae.load(${JSON.stringify(folder)})`,
    `z = ${code}`,
    `image = model.decoder(z${second})`,
    "",
  ].join("\n");
}
