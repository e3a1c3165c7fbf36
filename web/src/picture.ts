/** Examples as pictures: grey and colour images pixel by pixel, vectors as bars. */

import { canvas, pen } from "./dom";

/** Height of a vector's picture and its least and greatest width, in pixels; as in the reports. */
const PROFILE = { height: 40, narrow: 40, wide: 80 } as const;
const BAR = [47, 111, 176] as const;
const GROUND = [243, 245, 248] as const;

/** Width and height of the picture of examples of a shape: [W], [H, W] or [C, H, W]. */
export function pictureSize(shape: readonly number[]): { width: number; height: number } {
  if (shape.length === 1) {
    const n = Math.min(shape[0] as number, PROFILE.wide);
    return { width: n * Math.max(1, Math.ceil(PROFILE.narrow / n)), height: PROFILE.height };
  }
  const [height, width] = shape.slice(-2) as [number, number];
  return { width, height };
}

/** Writes an example [*X] with values in [0, 1] into the pixels of its picture. */
export function rasterise(values: Float32Array, shape: readonly number[], into: ImageData): void {
  if (shape.length === 1) profile(values, into);
  else if (shape.length === 3 && shape[0] === 3) colour(values, into);
  else if (shape.length === 3 && shape[0] === 4) translucent(values, into);
  else grey(values, shape.length === 3 ? (shape[0] as number) : 1, into);
}

// The clamped array of an image rounds, and cuts off what lies outside of 0 and 255.

function grey(values: Float32Array, channels: number, { data }: ImageData): void {
  const pixels = data.length >> 2;
  for (let i = 0, at = 0; i < pixels; i++, at += 4) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += values[c * pixels + i] as number;
    data[at] = data[at + 1] = data[at + 2] = (sum / channels) * 255;
    data[at + 3] = 255;
  }
}

function colour(values: Float32Array, { data }: ImageData): void {
  const pixels = data.length >> 2;
  for (let i = 0, at = 0; i < pixels; i++, at += 4) {
    data[at] = (values[i] as number) * 255;
    data[at + 1] = (values[pixels + i] as number) * 255;
    data[at + 2] = (values[2 * pixels + i] as number) * 255;
    data[at + 3] = 255;
  }
}

/** The fourth channel is transparency, over white. */
function translucent(values: Float32Array, { data }: ImageData): void {
  const pixels = data.length >> 2;
  for (let i = 0, at = 0; i < pixels; i++, at += 4) {
    const cover = Math.min(1, Math.max(0, values[3 * pixels + i] as number));
    for (let c = 0; c < 3; c++) {
      data[at + c] = ((values[c * pixels + i] as number) * cover + 1 - cover) * 255;
    }
    data[at + 3] = 255;
  }
}

function profile(values: Float32Array, { data, width, height }: ImageData): void {
  const bars = Math.min(values.length, PROFILE.wide);
  const each = width / bars;
  for (let bar = 0; bar < bars; bar++) {
    // More numbers than bars: each bar is the mean of its share.
    const from = Math.floor((bar * values.length) / bars);
    const to = Math.ceil(((bar + 1) * values.length) / bars);
    let sum = 0;
    for (let i = from; i < to; i++) sum += Math.min(1, Math.max(0, values[i] as number));
    const top = (sum / (to - from)) * height;
    for (let y = 0; y < height; y++) {
      const cover = Math.min(1, Math.max(0, top - (height - 1 - y)));
      for (let x = bar * each; x < (bar + 1) * each; x++) {
        const at = 4 * (y * width + x);
        for (let c = 0; c < 3; c++) {
          data[at + c] = cover * (BAR[c] as number) + (1 - cover) * (GROUND[c] as number);
        }
        data[at + 3] = 255;
      }
    }
  }
}

/** Draws examples of one shape into canvases; the pixels in between are its own, and used again. */
export class Painter {
  readonly width: number;
  readonly height: number;
  private readonly pixels: ImageData;

  constructor(private readonly shape: readonly number[]) {
    ({ width: this.width, height: this.height } = pictureSize(shape));
    this.pixels = new ImageData(this.width, this.height);
  }

  /** Puts an example at a place of a canvas, in its own pixels. */
  paint(context: CanvasRenderingContext2D, values: Float32Array, x = 0, y = 0): void {
    rasterise(values, this.shape, this.pixels);
    context.putImageData(this.pixels, x, y);
  }

  /** A canvas that shows one example, so many CSS pixels wide. */
  canvas(label: string, shown: number): HTMLCanvasElement {
    return canvas(this.width, this.height, label, shown);
  }

  /** A row of examples in one canvas, a pixel apart. */
  row(context: CanvasRenderingContext2D, examples: readonly Float32Array[]): void {
    context.canvas.width = examples.length * (this.width + 1) - 1;
    context.canvas.height = this.height;
    examples.forEach((values, i) => this.paint(context, values, i * (this.width + 1)));
  }
}

/** The examples themselves, from the sheet that travels with the page. */
export class Sheet {
  private constructor(
    private readonly image: ImageBitmap,
    private readonly columns: number,
    readonly height: number,
    readonly width: number,
    readonly exact: boolean,
  ) {}

  static async read(
    packed: Uint8Array<ArrayBuffer>,
    header: { columns: number; cell: [number, number]; exact: boolean },
  ): Promise<Sheet> {
    const image = await createImageBitmap(new Blob([packed], { type: "image/webp" }));
    return new Sheet(image, header.columns, header.cell[0], header.cell[1], header.exact);
  }

  /** Draws one example into a box of a canvas. */
  draw(context: CanvasRenderingContext2D, which: number, x: number, y: number, width: number, height: number): void {
    const [left, top] = this.corner(which);
    context.imageSmoothingEnabled = width < this.width;
    context.drawImage(this.image, left, top, this.width, this.height, x, y, width, height);
  }

  /** A canvas that shows one example, so many CSS pixels wide. */
  canvas(which: number, label: string, shown: number): HTMLCanvasElement {
    const made = canvas(this.width, this.height, label, shown);
    this.draw(pen(made), which, 0, 0, this.width, this.height);
    return made;
  }

  /** The colours of one example's pixels, [H, W, 4]. */
  pixels(which: number): Uint8ClampedArray {
    const scratch = document.createElement("canvas");
    scratch.width = this.width;
    scratch.height = this.height;
    const context = pen(scratch, true);
    this.draw(context, which, 0, 0, this.width, this.height);
    return context.getImageData(0, 0, this.width, this.height).data;
  }

  private corner(which: number): [number, number] {
    return [(which % this.columns) * this.width, Math.floor(which / this.columns) * this.height];
  }
}

/** Pixels [H, W, 4] as an image [C, H, W] with values in [0, 1]: of one channel their brightness. */
export function asExample(pixels: Uint8ClampedArray, shape: readonly number[]): Float32Array {
  const n = pixels.length >> 2;
  const channels = shape.length === 3 ? (shape[0] as number) : 1;
  const values = new Float32Array(channels * n);
  for (let i = 0; i < n; i++) {
    const [red, green, blue] = [pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]] as [number, number, number];
    for (let c = 0; c < channels; c++) {
      values[c * n + i] =
        channels >= 3 && c < 3 ? ([red, green, blue][c] as number) / 255
        : c === 3 ? (pixels[4 * i + 3] as number) / 255
        : (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
    }
  }
  return values;
}

/** Decoded pictures of a lattice over a plane, made with the page. */
export class Lattice {
  constructor(
    readonly sheet: Sheet,
    private readonly side: number,
    private readonly low: readonly [number, number],
    private readonly high: readonly [number, number],
  ) {}

  /** Which picture is nearest to a place of the plane; rows go down. */
  cell(at: Float32Array): number {
    const [column, row] = [0, 1].map((axis) => {
      const k = axis as 0 | 1;
      const share = ((at[k] as number) - this.low[k]) / (this.high[k] - this.low[k]);
      return Math.min(this.side - 1, Math.max(0, Math.floor((k ? 1 - share : share) * this.side)));
    }) as [number, number];
    return row * this.side + column;
  }
}
