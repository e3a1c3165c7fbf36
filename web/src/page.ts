/** The layout of the page: a header, and for each model a plane and its panels. */

import { keepAddress, readAddress, readViews } from "./address";
import { chartsOf, dimension } from "./chart";
import { button, count, el } from "./dom";
import { lesson } from "./lesson/lesson";
import { classes } from "./panels/classes";
import { codebook } from "./panels/codebook";
import { denoising } from "./panels/denoising";
import { dimensions } from "./panels/dimensions";
import { draw } from "./panels/draw";
import { Inspector } from "./panels/inspector";
import { interpolation } from "./panels/interpolation";
import { samples } from "./panels/samples";
import { selection } from "./panels/selection";
import { snapshots } from "./panels/snapshots";
import { legend, toolbar } from "./panels/toolbar";
import { Plane } from "./plane/plane";
import { Remote } from "./remote";
import { savePng, saveSvg } from "./save";
import type { ModelState, State } from "./state";

/** Builds the page into an element. */
export function build(state: State, into: HTMLElement): Plane[] {
  readAddress(state, location.hash);
  const imageModels = state.models.filter(({ model }) => model.encodes && model.header.image_shape.length > 1);
  const denoises = imageModels.some(({ model }) => model.decodes && model.header.corruption);
  const noise = denoises && state.sprites.exact && named("denoising", denoising(state));
  const drawing = imageModels.length > 0 && named("draw", draw(state));
  const lasso = named("selection", selection(state));
  const sections = state.models.map((modelState, i) => section(state, modelState, i));
  const planes = sections.map(({ plane }) => plane);
  const single = sections.length === 1;
  if (single) {
    const [below, beside] = [".plane-side", ".cards"].map((part) => sections[0]?.element.querySelector(part));
    if (noise) beside?.prepend(noise);
    if (drawing) below?.append(drawing);
    beside?.append(lasso);
  }
  const main = el("main", { "data-count": planes.length });
  const { start, panel, resume } = lesson(state, main);
  main.append(
    panel,
    toolbar(state),
    legend(state),
    el("div", { class: "models" }, ...sections.map(({ element }) => element)),
  );
  if (!single) main.append(el("div", { class: "shared" }, noise, drawing, lasso));
  into.replaceChildren(
    el("header", {}, el("div", {}, el("h1", {}, title(state)), el("p", { class: "note" }, examplesNote(state))), start),
    main,
    el("footer", {}, el("p", {}, `Made by ${state.header.made_by}. ${connections()}`)),
  );
  const showTool = (): void => {
    for (const { element } of planes) element.dataset["tool"] = state.tool;
  };
  state.toolChanged.on(showTool);
  showTool();
  readViews(planes, location.hash);
  for (const plane of planes) plane.changed();
  keepAddress(state, planes);
  resume();
  return planes;
}

/** Gives a card the name by which the lesson finds it, and on a page of several models that of its model. */
function named(name: string, card: HTMLElement, model?: string): HTMLElement {
  card.dataset["card"] = name;
  const heading = card.querySelector("h3");
  if (model && heading) heading.dataset["model"] = model;
  return card;
}

function title({ header }: State): string {
  return `${header.models.map(({ name }) => name).join(" and ")} on ${header.data}`;
}

function examplesNote({ examples }: State): string {
  const part = `${examples.part} examples`;
  const origin = examples.held_out ? "held out from training" : "from another dataset than the training data";
  if (examples.count === examples.total) return `All ${count(examples.total)} ${part}, ${origin}.`;
  const how = examples.stratified ? "drawn at random, stratified by class" : "drawn at random";
  return `${count(examples.count)} of ${count(examples.total)} ${part}, ${how}, ${origin}.`;
}

function connections(): string {
  return Remote.available ? "This page connects only to autoencode on this computer." : "This page works offline.";
}

/** The section of one model: its plane, the inspector, and its panels. */
function section(state: State, modelState: ModelState, number: number): { element: HTMLElement; plane: Plane } {
  const { model } = modelState;
  const inspector = new Inspector(state, modelState, number);
  const training = state.snapshots[number] ?? [];
  const plane = new Plane(state, modelState, (z, which) => inspector.show(z, which));
  plane.element.dataset["model"] = String(number);
  const note = el("p", { class: "note" });
  const describe = (): void => {
    note.textContent = modelState.chart.note;
  };
  modelState.chartChanged.on(describe);
  describe();
  const { name, recipe, formula } = model.header;
  const element = el(
    "section",
    { class: "model", "aria-label": name },
    el(
      "div",
      { class: "model-header" },
      el("h2", {}, name, recipe !== name && el("small", {}, recipe)),
      el("p", { class: "note" }, formula),
    ),
    el(
      "div",
      { class: "plane-side" },
      el(
        "div",
        { class: "plane-row" },
        el("div", { class: "plane-column" }, ...chartControls(modelState), plane.element, note, planeActions(state, plane)),
        inspector.element,
      ),
      !model.decodes && el("p", { class: "warning" }, withoutDecoder(modelState)),
    ),
    el(
      "div",
      { class: "cards" },
      model.decodes && named("interpolation", interpolation(state, modelState), state.models.length > 1 ? name : undefined),
      model.decodes && model.conditional && classes(state, modelState),
      model.decodes && model.codebook && codebook(modelState, model.codebook),
      model.decodes && !model.codebook && dimensions(modelState),
      model.decodes && samples(modelState),
      training.length > 1 && snapshots(state, modelState, training),
    ),
  );
  return { element, plane };
}

function withoutDecoder({ model }: ModelState): string {
  const why = `This page cannot run the decoder: ${model.header.decoder_unsupported ?? "it is not in the file"}.`;
  if (Remote.available) return `${why} The server of the page decodes instead.`;
  const side = model.header.latent_grid?.side;
  const grid = `${why} Decoded images come from a grid of ${side} × ${side} positions of the plane`;
  const { folder } = model.header;
  return folder === "" ? `${grid}.` : `${grid}; autoencode explore ${folder} decodes every code.`;
}

function planeActions(state: State, plane: Plane): HTMLElement {
  return el(
    "div",
    { class: "actions" },
    button("Show all", "Show all points (double click, or 0)", () => plane.reset()),
    button("PNG", "Save the plane as an image", () => savePng(plane)),
    button("SVG", "Save the plane as vector graphics", () => saveSvg(plane, state)),
  );
}

/** The choice of a chart, if a model has several. */
function chartControls(modelState: ModelState): HTMLElement[] {
  const { model } = modelState;
  const options = chartsOf(model);
  if (options.length < 2) return [];
  const [first, second] = model.order as [number, number];
  const select = (label: string, chosen: number): HTMLSelectElement =>
    el(
      "select",
      { "aria-label": label },
      ...model.order.map((i) =>
        el("option", { value: i, selected: i === chosen }, dimension(i) + (model.inactive(i) ? " (inactive)" : "")),
      ),
    );
  const [across, up] = [select("Horizontal latent dimension", first), select("Vertical latent dimension", second)];
  const which = el("select", { "aria-label": "Plane" }, ...options.map(([key, text]) => el("option", { value: key }, text)));
  const pair = el("span", { class: "pair" }, across, " and ", up);
  const change = (): void => {
    pair.hidden = which.value !== "dims";
    modelState.setChart(which.value === "dims" ? `dims:${across.value}:${up.value}` : which.value);
  };
  for (const each of [which, across, up]) each.addEventListener("change", change);
  const [kind, i, j] = modelState.chart.key.split(":");
  which.value = kind ?? "plane";
  if (i && j) [across.value, up.value] = [i, j];
  pair.hidden = which.value !== "dims";
  return [el("div", { class: "charts" }, which, pair)];
}
