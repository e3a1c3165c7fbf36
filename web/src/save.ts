/** Saves a plane as PNG, or as SVG in which points are circles. */

import { el } from "./dom";
import type { Plane } from "./plane/plane";
import type { State } from "./state";

/** Saves the plane as PNG. */
export function savePng(plane: Plane): void {
  plane.flattened().toBlob((blob) => blob && download(blob, `${nameOf(plane)}.png`), "image/png");
}

/** Saves the plane as SVG; backdrop and density are an embedded image. */
export function saveSvg(plane: Plane, state: State): void {
  download(new Blob([svg(plane, state)], { type: "image/svg+xml" }), `${nameOf(plane)}.svg`);
}

function svg(plane: Plane, state: State): string {
  const { view, modelState } = plane;
  const { side } = view;
  const { points, axes } = modelState.chart;
  const colours = state.colours(modelState, "#2f6fb0");
  const faint = state.faint(modelState);
  const circles: string[] = [];
  for (let i = 0; state.dots && i < colours.length; i++) {
    const [x, y] = view.toScreen(points[2 * i] as number, points[2 * i + 1] as number);
    if (x < 0 || y < 0 || x > side || y > side) continue;
    const colour = colours[i] as number;
    const hex = [colour, colour >> 8, colour >> 16].map((value) => (value & 0xff).toString(16).padStart(2, "0")).join("");
    circles.push(`<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="2" fill="#${hex}"${faint?.[i] ? ' opacity="0.16"' : ""}/>`);
  }
  const escaped = (text: string): string => text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}" width="${side}" height="${side}">`,
    `<title>${escaped(`${modelState.model.header.name}: ${modelState.chart.title}`)}</title>`,
    `<image width="${side}" height="${side}" href="${plane.background().toDataURL("image/png")}"/>`,
    ...circles,
    '<g font-family="system-ui, sans-serif" font-size="11" font-weight="600" fill="#5a6773">',
    `<text x="${side - 6}" y="${side - 6}" text-anchor="end">${escaped(axes[0])}</text>`,
    `<text x="6" y="15">${escaped(axes[1])}</text>`,
    "</g></svg>",
  ].join("\n");
}

function nameOf({ modelState }: Plane): string {
  return `${modelState.model.header.name}-${modelState.chart.key.replaceAll(":", "-")}`.replace(/[^\w.-]+/g, "_");
}

function download(blob: Blob, name: string): void {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
