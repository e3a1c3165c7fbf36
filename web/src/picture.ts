/** Images of examples: grey and colour images pixel by pixel, vectors as bar charts. */

import type { Content, SpriteSheetHeader } from "./content";
import { canvas, context2d } from "./dom";

/** The size of the bar chart of a vector, in pixels; as in the reports. */
const BARS = { height: 40, minWidth: 40, maxWidth: 80 } as const;
const BAR = [47, 111, 176] as const;
const GROUND = [243, 245, 248] as const;

/** The size of the image of an example of a shape: [W], [H, W] or [C, H, W]. */
export function pictureSize(shape: readonly number[]): { width: number; height: number } {
  if (shape.length === 1) {
    const n = Math.min(shape[0] as number, BARS.maxWidth);
    return { width: n * Math.max(1, Math.ceil(BARS.minWidth / n)), height: BARS.height };
  }
  const [height, width] = shape.slice(-2) as [number, number];
  return { width, height };
}

/** Writes an example [*X] with values in [0, 1] into the pixels of its image. */
export function rasterise(values: Float32Array, shape: readonly number[], into: ImageData): void {
  if (shape.length === 1) bars(values, into);
  else if (shape.length === 3 && shape[0] === 3) colour(values, into);
  else if (shape.length === 3 && shape[0] === 4) translucent(values, into);
  else grey(values, shape.length === 3 ? (shape[0] as number) : 1, into);
}

// The clamped array of an image rounds, and clips to 0 and 255.

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

/** The fourth channel is alpha, over white. */
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

function bars(values: Float32Array, { data, width, height }: ImageData): void {
  const n = Math.min(values.length, BARS.maxWidth);
  const each = width / n;
  for (let bar = 0; bar < n; bar++) {
    // With more numbers than bars, each bar is a mean.
    const from = Math.floor((bar * values.length) / n);
    const to = Math.ceil(((bar + 1) * values.length) / n);
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

/** Draws examples of one shape into canvases, with a buffer that it reuses. */
export class Painter {
  readonly width: number;
  readonly height: number;
  private readonly pixels: ImageData;

  constructor(private readonly shape: readonly number[]) {
    ({ width: this.width, height: this.height } = pictureSize(shape));
    this.pixels = new ImageData(this.width, this.height);
  }

  /** Draws an example at a position of a canvas, without scaling. */
  paint(context: CanvasRenderingContext2D, values: Float32Array, x = 0, y = 0): void {
    rasterise(values, this.shape, this.pixels);
    context.putImageData(this.pixels, x, y);
  }

  /** A canvas for one example, `shown` CSS pixels wide. */
  canvas(label: string, shown: number): HTMLCanvasElement {
    return canvas(this.width, this.height, label, shown);
  }

  /** Draws examples in a row, with a gap of one pixel. */
  row(context: CanvasRenderingContext2D, examples: readonly Float32Array[]): void {
    context.canvas.width = examples.length * (this.width + 1) - 1;
    context.canvas.height = this.height;
    examples.forEach((values, i) => this.paint(context, values, i * (this.width + 1)));
  }
}

/** Many small images in one. */
export class SpriteSheet {
  private constructor(
    private readonly image: ImageBitmap,
    private readonly columns: number,
    readonly height: number,
    readonly width: number,
    readonly exact: boolean,
  ) {}

  static async read(
    content: Content,
    { sprite_sheet, columns, cell, exact }: SpriteSheetHeader,
  ): Promise<SpriteSheet> {
    const image = await createImageBitmap(new Blob([content.bytes(sprite_sheet)], { type: "image/webp" }));
    return new SpriteSheet(image, columns, cell[0], cell[1], exact);
  }

  /** Draws one image into a rectangle of a canvas. */
  draw(context: CanvasRenderingContext2D, which: number, x: number, y: number, width: number, height: number): void {
    const [left, top] = this.corner(which);
    context.imageSmoothingEnabled = width < this.width;
    context.drawImage(this.image, left, top, this.width, this.height, x, y, width, height);
  }

  /** A canvas for one example, `shown` CSS pixels wide. */
  canvas(which: number, label: string, shown: number): HTMLCanvasElement {
    const made = canvas(this.width, this.height, label, shown);
    this.draw(context2d(made), which, 0, 0, this.width, this.height);
    return made;
  }

  /** The pixels of one image, [H, W, 4]. */
  pixels(which: number): Uint8ClampedArray {
    const scratch = document.createElement("canvas");
    scratch.width = this.width;
    scratch.height = this.height;
    const context = context2d(scratch, true);
    this.draw(context, which, 0, 0, this.width, this.height);
    return context.getImageData(0, 0, this.width, this.height).data;
  }

  private corner(which: number): [number, number] {
    return [(which % this.columns) * this.width, Math.floor(which / this.columns) * this.height];
  }
}

/** Pixels [H, W, 4] as an image [C, H, W] with values in [0, 1]; one channel is their luminance. */
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

/** Decoded images of a grid over the plane, for a decoder that the page cannot run. */
export class LatentGrid {
  constructor(
    readonly sprites: SpriteSheet,
    private readonly side: number,
    private readonly low: readonly [number, number],
    private readonly high: readonly [number, number],
  ) {}

  /** The image nearest to a position of the plane; rows count from the top. */
  cell(at: Float32Array): number {
    const [column, row] = [0, 1].map((axis) => {
      const k = axis as 0 | 1;
      const share = ((at[k] as number) - this.low[k]) / (this.high[k] - this.low[k]);
      return Math.min(this.side - 1, Math.max(0, Math.floor((k ? 1 - share : share) * this.side)));
    }) as [number, number];
    return row * this.side + column;
  }
}
