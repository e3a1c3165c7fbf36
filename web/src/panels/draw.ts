/** An image of one's own: drawn, or from a file; encoded, decoded, and on the planes as one draws. */

import { button, card, digits, el, pen, tick } from "../dom";
import { Painter, asExample } from "../picture";
import type { Seat, State } from "../state";
import { once } from "../topic";

const SHOWN = 224;
const MADE = 128;
/** Width of the brush, as a share of the image. */
const BRUSH = 0.085;

export function draw(state: State): HTMLElement {
  const seats = state.seats.filter(({ model }) => model.encodes);
  const shape = (seats[0] as Seat).model.header.image;
  const painter = new Painter(shape);
  const { width, height } = painter;
  const pad = el("canvas", {
    class: "pad",
    width: SHOWN,
    height: Math.round((SHOWN * height) / width),
    tabindex: 0,
    role: "img",
    "aria-label": "Draw here with the mouse or a finger, or drop an image",
  });
  const context = pen(pad);
  const small = document.createElement("canvas");
  [small.width, small.height] = [width, height];
  let empty = true;
  let erase = false;
  const outcomes = seats.map((seat) => outcome(state, seat));
  const clear = (): void => {
    context.fillStyle = "#000";
    context.fillRect(0, 0, pad.width, pad.height);
    empty = true;
    for (const { clear } of outcomes) clear();
  };
  const encode = once(() => {
    const shrunk = pen(small, true);
    shrunk.imageSmoothingQuality = "high";
    shrunk.drawImage(pad, 0, 0, width, height);
    const x = asExample(shrunk.getImageData(0, 0, width, height).data, shape);
    for (const { show } of outcomes) show(x);
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
      says.textContent = `${file.name} is no picture that this browser reads. Take a PNG, JPEG or WebP.`;
      return;
    }
    clear();
    const scale = Math.min(pad.width / image.width, pad.height / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    context.imageSmoothingQuality = "high";
    context.drawImage(image, (pad.width - w) / 2, (pad.height - h) / 2, w, h);
    empty = false;
    says.textContent = "";
    encode();
  };
  pad.addEventListener("dragover", (event) => event.preventDefault());
  pad.addEventListener("drop", (event) => {
    event.preventDefault();
    void read(event.dataTransfer?.files[0]);
  });
  const file = el("input", { type: "file", accept: "image/*", "aria-label": "An image of your own" });
  file.addEventListener("change", () => void read(file.files?.[0]));
  const says = el("p", { class: "says", role: "status" });
  for (const seat of seats) seat.moved.on(() => empty || encode());
  clear();
  return card(
    "Draw your own",
    "Draw, or drop an image: the page encodes it, shows where it lands on the planes (with the two-sigma ellipse of a posterior) and what is made of it. Draw as the data are: bright on dark, and filling the frame as they do.",
    el(
      "div",
      { class: "drawing" },
      el(
        "div",
        {},
        pad,
        el(
          "div",
          { class: "acts" },
          button("Clear", "Empties the drawing", clear),
          tick("eraser", "Draws in the colour of the ground", false, (on) => {
            erase = on;
          }),
        ),
        el("label", { class: "file" }, el("span", {}, "or a file: "), file),
        says,
      ),
      el("div", { class: "outcomes" }, ...outcomes.map(({ element }) => element)),
    ),
  );
}

/** What one model makes of the drawing. */
function outcome(state: State, seat: Seat): { element: HTMLElement; show: (x: Float32Array) => void; clear: () => void } {
  const { model, painter } = seat;
  const image = painter.canvas(`Reconstructed by ${model.header.name}`, MADE);
  const seen = painter.canvas("The drawing as the model sees it", MADE);
  const says = el("span", { class: "figure" });
  const near = el("span", { class: "figure" });
  return {
    element: el(
      "div",
      { class: "outcome" },
      el("h4", {}, model.header.name),
      el("div", { class: "pair" },
        el("figure", {}, seen, el("figcaption", {}, el("b", {}, "as it is seen"), near)),
        el("figure", {}, image, el("figcaption", {}, el("b", {}, "reconstructed"), says)),
      ),
    ),
    show: (x) => {
      const landing = model.encode(x);
      if (!landing) return;
      seat.drawn = landing;
      painter.paint(pen(seen), x);
      const made = model.decode(landing.z);
      if (made) {
        painter.paint(pen(image), made);
        let error = 0;
        made.forEach((value, i) => {
          error += (value - (x[i] as number)) ** 2;
        });
        says.textContent = `squared error ${digits(error, 1)}`;
      }
      const { which } = model.nearest(landing.z);
      const name = state.className(which);
      near.textContent = name ? `lands among “${name}”` : "";
      state.pointed.say();
    },
    clear: () => {
      seat.drawn = null;
      for (const canvas of [image, seen]) {
        const context = pen(canvas);
        context.fillStyle = "#000";
        context.fillRect(0, 0, canvas.width, canvas.height);
      }
      says.textContent = near.textContent = "";
      state.pointed.say();
    },
  };
}
