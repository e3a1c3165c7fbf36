/** A drawing, an image file or an example, encoded and reconstructed by each model as it changes. */

import { button, card, checkbox, context2d, el } from "../dom";
import { Painter, asExample } from "../picture";
import { oncePerFrame } from "../signal";
import type { ModelState, State } from "../state";
import { flow } from "./flow";

/** CSS pixels of the drawing. */
const PAD = 224;
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
  /** The example on the pad, until it is drawn on. */
  let example: number | null = null;
  const results = models.map((modelState) => flow(state, modelState));
  const shown = el("div", { class: "results", hidden: true }, ...results.map(({ element }) => element));
  const clear = (): void => {
    shown.hidden = true;
    context.fillStyle = "#000";
    context.fillRect(0, 0, pad.width, pad.height);
    empty = true;
    example = null;
    for (const { clear } of results) clear();
  };
  const encode = oncePerFrame(() => {
    if (empty) return;
    shown.hidden = false;
    if (example !== null) {
      const x = asExample(state.sprites.pixels(example), shape);
      for (const { show } of results) show(x, example);
      return;
    }
    const scaled = context2d(small, true);
    scaled.imageSmoothingQuality = "high";
    scaled.drawImage(pad, 0, 0, width, height);
    const x = asExample(scaled.getImageData(0, 0, width, height).data, shape);
    for (const { show } of results) show(x, null);
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
    example = null;
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
  const choose = (which: number): void => {
    clear();
    context.imageSmoothingEnabled = false;
    state.sprites.draw(context, which, 0, 0, pad.width, pad.height);
    empty = false;
    example = which;
    note.textContent = `Example ${which + 1} of ${state.examples.count}${state.className(which) ? `, class “${state.className(which)}”` : ""}.`;
    encode();
  };
  const file = el("input", { type: "file", accept: "image/*", "aria-label": "Image file" });
  file.addEventListener("change", () => void read(file.files?.[0]));
  const note = el("p", { class: "note", role: "status" });
  for (const modelState of models) modelState.codeChanged.on(() => empty || encode());
  clear();
  state.lessonChanged.on(() => {
    if (state.lesson === "encode" && empty && state.sprites.exact) choose(0);
  });
  return card(
    "From an image to its code and back",
    "Draw, choose an example, or drop an image file. Draw as the training data look: bright on dark, and in the same size. " +
      `The code is marked on the planes, with two standard deviations of a normal posterior. Squared errors are summed over ${model.sizeText}.`,
    el(
      "div",
      { class: "drawing" },
      el(
        "div",
        { class: "pad-side" },
        pad,
        el(
          "div",
          { class: "pad-controls" },
          button("Clear", "Clear the drawing", () => {
            clear();
            note.textContent = "";
          }),
          checkbox("eraser", "Draw in the background colour", false, (on) => {
            erase = on;
          }),
          state.sprites.exact &&
            button("Random example", "Encode one of the examples", () => choose(Math.floor(Math.random() * state.examples.count))),
          state.sprites.exact &&
            button("Nearest example", "Encode the example nearest to the current code", () => choose(model.nearest((models[0] as ModelState).current).which)),
          el("label", { class: "file" }, el("span", {}, "or a file: "), file),
          note,
        ),
      ),
      shown,
    ),
  );
}
