/** A plane as a file: pixels, or an SVG whose points are circles. */

import { el } from "./dom";
import type { Plane } from "./plane/plane";
import type { State } from "./state";

/** Saves what the plane shows as a PNG. */
export function savePng(plane: Plane): void {
  plane.flat().toBlob((blob) => blob && offer(blob, `${nameOf(plane)}.png`), "image/png");
}

/** Saves what the plane shows as an SVG; what lies behind the points is a picture in it. */
export function saveSvg(plane: Plane, state: State): void {
  offer(new Blob([svg(plane, state)], { type: "image/svg+xml" }), `${nameOf(plane)}.svg`);
}

function svg(plane: Plane, state: State): string {
  const { view, seat } = plane;
  const { side } = view;
  const { points, axes } = seat.chart;
  const colours = state.colours(seat, "#2f6fb0");
  const faint = state.faint(seat);
  const circles: string[] = [];
  for (let i = 0; state.dots && i < colours.length; i++) {
    const [x, y] = view.toScreen(points[2 * i] as number, points[2 * i + 1] as number);
    if (x < 0 || y < 0 || x > side || y > side) continue;
    const colour = colours[i] as number;
    const hex = [colour, colour >> 8, colour >> 16].map((value) => (value & 0xff).toString(16).padStart(2, "0")).join("");
    circles.push(`<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="2" fill="#${hex}"${faint?.[i] ? ' opacity="0.16"' : ""}/>`);
  }
  const words = (text: string): string => text.replace(/[<>&"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}" width="${side}" height="${side}">`,
    `<title>${words(`${seat.model.header.name}: ${seat.chart.title}`)}</title>`,
    `<image width="${side}" height="${side}" href="${plane.behind().toDataURL("image/png")}"/>`,
    ...circles,
    '<g font-family="system-ui, sans-serif" font-size="11" font-weight="600" fill="#5a6773">',
    `<text x="${side - 6}" y="${side - 6}" text-anchor="end">${words(axes[0])}</text>`,
    `<text x="6" y="15">${words(axes[1])}</text>`,
    "</g></svg>",
  ].join("\n");
}

function nameOf({ seat }: Plane): string {
  return `${seat.model.header.name}-${seat.chart.key.replaceAll(":", "-")}`.replace(/[^\w.-]+/g, "_");
}

function offer(blob: Blob, name: string): void {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
