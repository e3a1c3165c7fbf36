/** A drawing or an image file, encoded and reconstructed by each model as it changes. */

import { button, card, checkbox, context2d, el, fixed } from "../dom";
import { Painter, asExample } from "../picture";
import { oncePerFrame } from "../signal";
import type { ModelState, State } from "../state";

/** CSS pixels of the drawing and of the results. */
const PAD = 224;
const SHOWN = 128;
/** Width of the brush, as a share of the image. */
const BRUSH = 0.085;

export function draw(state: State): HTMLElement {
  const models = state.models.filter(({ model }) => model.encodes);
  const { model } = models[0] as ModelState;
  const shape = model.header.image_shape;
  const { width, height } = new Painter(shape);
  const pad = el("canvas", {
    class: "pad",
    width: PAD,
    height: Math.round((PAD * height) / width),
    tabindex: 0,
    role: "img",
    "aria-label": "Draw here with the mouse or a finger, or drop an image file",
  });
  const context = context2d(pad);
  const small = document.createElement("canvas");
  [small.width, small.height] = [width, height];
  let empty = true;
  let erase = false;
  const results = models.map((modelState) => result(state, modelState));
  const clear = (): void => {
    context.fillStyle = "#000";
    context.fillRect(0, 0, pad.width, pad.height);
    empty = true;
    for (const { clear } of results) clear();
  };
  const encode = oncePerFrame(() => {
    const scaled = context2d(small, true);
    scaled.imageSmoothingQuality = "high";
    scaled.drawImage(pad, 0, 0, width, height);
    const x = asExample(scaled.getImageData(0, 0, width, height).data, shape);
    for (const { show } of results) show(x);
  });
  let last: [number, number] | null = null;
  const at = (event: PointerEvent): [number, number] => {
    const box = pad.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * pad.width, ((event.clientY - box.top) / box.height) * pad.height];
  };
  const line = (to: [number, number]): void => {
    context.strokeStyle = erase ? "#000" : "#fff";
    context.lineWidth = BRUSH * pad.width * (erase ? 2 : 1);
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...(last ?? to));
    context.lineTo(...to);
    context.stroke();
    last = to;
    empty = false;
    encode();
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    last = null;
    line(at(event));
  });
  pad.addEventListener("pointermove", (event) => {
    if (last && event.buttons) line(at(event));
  });
  pad.addEventListener("pointerup", () => {
    last = null;
  });
  const read = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    let image: ImageBitmap;
    try {
      image = await createImageBitmap(file);
    } catch {
      note.textContent = `This browser cannot read ${file.name} as an image. Choose a PNG, JPEG or WebP file.`;
      return;
    }
    clear();
    const scale = Math.min(pad.width / image.width, pad.height / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    context.imageSmoothingQuality = "high";
    context.drawImage(image, (pad.width - w) / 2, (pad.height - h) / 2, w, h);
    empty = false;
    note.textContent = "";
    encode();
  };
  pad.addEventListener("dragover", (event) => event.preventDefault());
  pad.addEventListener("drop", (event) => {
    event.preventDefault();
    void read(event.dataTransfer?.files[0]);
  });
  const file = el("input", { type: "file", accept: "image/*", "aria-label": "Image file" });
  file.addEventListener("change", () => void read(file.files?.[0]));
  const note = el("p", { class: "note", role: "status" });
  for (const modelState of models) modelState.codeChanged.on(() => empty || encode());
  clear();
  return card(
    "Your own image",
    "Draw, or drop an image file: it is encoded, marked on the planes (with two standard deviations of a normal posterior) and reconstructed. " +
      `Draw as the training data look, bright on dark and in the same size. Squared errors are summed over ${model.sizeText}.`,
    el(
      "div",
      { class: "drawing" },
      el(
        "div",
        {},
        pad,
        el(
          "div",
          { class: "actions" },
          button("Clear", "Clear the drawing", clear),
          checkbox("eraser", "Draw in the background colour", false, (on) => {
            erase = on;
          }),
        ),
        el("label", { class: "file" }, el("span", {}, "or a file: "), file),
        note,
      ),
      el("div", { class: "results" }, ...results.map(({ element }) => element)),
    ),
  );
}

/** The drawing as one model receives it, and its reconstruction. */
function result(state: State, modelState: ModelState): { element: HTMLElement; show: (x: Float32Array) => void; clear: () => void } {
  const { model, painter } = modelState;
  const input = painter.canvas("The drawing as input of the model", SHOWN);
  const image = painter.canvas(`Reconstruction by ${model.header.name}`, SHOWN);
  const errorText = el("span", { class: "value" });
  const nearestText = el("span", { class: "value" });
  return {
    element: el(
      "div",
      { class: "result" },
      el("h4", {}, model.header.name),
      el("div", { class: "pair" },
        el("figure", {}, input, el("figcaption", {}, el("b", {}, "input"), nearestText)),
        el("figure", {}, image, el("figcaption", {}, el("b", {}, "reconstruction"), errorText)),
      ),
    ),
    show: (x) => {
      const encoding = model.encode(x);
      if (!encoding) return;
      modelState.drawn = encoding;
      painter.paint(context2d(input), x);
      const made = model.decode(encoding.z);
      if (made) {
        painter.paint(context2d(image), made);
        let error = 0;
        made.forEach((value, i) => {
          error += (value - (x[i] as number)) ** 2;
        });
        errorText.textContent = `squared error ${fixed(error, 1)}`;
      }
      const { which } = model.nearest(encoding.z);
      const name = state.className(which);
      nearestText.textContent = name ? `nearest example: “${name}”` : "";
      state.markChanged.emit();
    },
    clear: () => {
      modelState.drawn = null;
      for (const canvas of [image, input]) {
        const context = context2d(canvas);
        context.fillStyle = "#000";
        context.fillRect(0, 0, canvas.width, canvas.height);
      }
      errorText.textContent = nearestText.textContent = "";
      state.markChanged.emit();
    },
  };
}
