/** Draws many points pixel by pixel: faster than paths, and identical in every browser. */

import type { View } from "./view";

/** An opaque colour as a little-endian pixel. */
export type Colour = number;

/** The pixel of a CSS colour "#rrggbb". */
export function colourOf(hex: string): Colour {
  const rgb = Number.parseInt(hex.slice(1, 7), 16);
  return (0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
}

export interface Dots {
  /** [N, 2] */
  points: Float32Array;
  /** Of each point. */
  colours: Uint32Array;
  /** Points that are drawn first, and faintly. */
  faint: Uint8Array | null;
}

const FAINT = 0.16;

/** Draws dots into an image of the view; the radius is in device pixels. */
export function drawDots({ points, colours, faint }: Dots, view: View, image: ImageData, radius: number): void {
  const pixels = new Uint32Array(image.data.buffer);
  pixels.fill(0);
  const ratio = image.width / view.side;
  const stamp = disc(radius);
  const reach = Math.ceil(radius) + 1;
  const { width, height } = image;
  const passes = faint ? [1, 0] : [0];
  const [zeroX, zeroY] = view.toScreen(0, 0);
  const scale = view.length(1);
  for (const pass of passes) {
    for (let i = 0, n = colours.length; i < n; i++) {
      if (faint && faint[i] !== pass) continue;
      const x = Math.round((zeroX + (points[2 * i] as number) * scale) * ratio);
      const y = Math.round((zeroY - (points[2 * i + 1] as number) * scale) * ratio);
      if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
      const colour = colours[i] as number;
      const middle = y * width + x;
      for (let k = 0; k < stamp.length; k += 3) {
        const at = middle + (stamp[k] as number) + (stamp[k + 1] as number) * width;
        blend(pixels, at, colour, (stamp[k + 2] as number) * (pass ? FAINT : 1));
      }
    }
  }
}

/** The x offset, y offset and coverage of each pixel of a disc. */
function disc(radius: number): Float32Array {
  const reach = Math.ceil(radius);
  const found: number[] = [];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y)));
      if (cover > 0.05) found.push(x, y, cover * 0.9);
    }
  }
  return Float32Array.from(found);
}

/** Blends a colour over a pixel; alpha is not premultiplied. */
function blend(pixels: Uint32Array, at: number, colour: Colour, cover: number): void {
  const under = pixels[at] as number;
  if (under === 0) {
    pixels[at] = ((Math.round(cover * 255) << 24) | (colour & 0xffffff)) >>> 0;
    return;
  }
  const behind = ((under >>> 24) / 255) * (1 - cover);
  const total = cover + behind;
  const [top, bottom] = [cover / total, behind / total];
  const red = (colour & 0xff) * top + (under & 0xff) * bottom;
  const green = ((colour >> 8) & 0xff) * top + ((under >> 8) & 0xff) * bottom;
  const blue = ((colour >> 16) & 0xff) * top + ((under >> 16) & 0xff) * bottom;
  pixels[at] = ((Math.round(total * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
