/** The page as a whole: header, planes, and a card for each thing to do. */

import { keepAddress, readAddress, readViews } from "./address";
import { chartsOf, dimension } from "./chart";
import { button, count, el } from "./dom";
import { dimensions } from "./panels/dimensions";
import { draw } from "./panels/draw";
import { entries } from "./panels/entries";
import { film } from "./panels/film";
import { labels } from "./panels/labels";
import { Look } from "./panels/look";
import { restore } from "./panels/restore";
import { samples } from "./panels/samples";
import { selection } from "./panels/selection";
import { strip } from "./panels/strip";
import { legend, toolbar } from "./panels/toolbar";
import { Plane } from "./plane/plane";
import { Remote } from "./remote";
import { savePng, saveSvg } from "./save";
import type { Seat, State } from "./state";

/** Builds the page into an element. */
export function build(state: State, into: HTMLElement): Plane[] {
  readAddress(state, location.hash);
  const rooms = state.seats.map((seat, i) => room(state, seat, i));
  const planes = rooms.map(({ plane }) => plane);
  const encodes = state.seats.some(({ model }) => model.encodes && model.header.image.length > 1);
  const denoises = state.seats.some(({ model }) => model.header.corruption && model.encodes);
  into.replaceChildren(
    el("header", {}, el("h1", {}, title(state)), el("p", { class: "says" }, shown(state))),
    el(
      "main",
      {},
      toolbar(state),
      legend(state),
      el("div", { class: "rooms", "data-rooms": planes.length }, ...rooms.map(({ element }) => element)),
      el("div", { class: "shared" }, selection(state), encodes && draw(state), denoises && state.sheet.exact && restore(state)),
    ),
    el("footer", {}, el("p", {}, `Made by ${state.header.made_by}. This page asks nothing of the network.`)),
  );
  const hand = (): void => {
    for (const { element } of planes) element.dataset["tool"] = state.tool;
  };
  state.taken.on(hand);
  hand();
  readViews(planes, location.hash);
  for (const plane of planes) plane.changed();
  keepAddress(state, planes);
  return planes;
}

function title({ header }: State): string {
  return `${header.models.map(({ name }) => name).join(" and ")} on ${header.data}`;
}

function shown({ examples, labels }: State): string {
  const part = `${examples.part} examples`;
  const seen = examples.unseen ? "no model was trained on them" : "of other data than those that were trained on";
  if (examples.shown === examples.of) return `All ${count(examples.of)} ${part}; ${seen}.`;
  const how = labels ? "each class at its share" : "drawn at random";
  return `${count(examples.shown)} of ${count(examples.of)} ${part}, ${how}; ${seen}.`;
}

/** One model: its plane, what is under the cursor, and its cards. */
function room(state: State, seat: Seat, number: number): { element: HTMLElement; plane: Plane } {
  const { model } = seat;
  const look = new Look(state, seat, number);
  const frames = state.films[number] ?? [];
  const plane = new Plane(state, seat, (z, which) => look.show(z, which));
  plane.element.dataset["seat"] = String(number);
  const says = el("p", { class: "says" });
  const tell = (): void => {
    says.textContent = seat.chart.says;
  };
  seat.turned.on(tell);
  tell();
  const element = el(
    "section",
    { class: "room", "aria-label": model.header.name },
    el(
      "div",
      { class: "of" },
      el("h2", {}, model.header.name, model.header.recipe !== model.header.name && el("small", {}, model.header.recipe)),
      el("p", { class: "says" }, model.header.formula),
    ),
    el("div", { class: "stage" }, el("div", { class: "frame" }, ...charts(seat), plane.element, says, acts(state, plane)), look.element),
    !model.decodes && el("p", { class: "warning" }, withoutDecoder(seat)),
    el(
      "div",
      { class: "cards" },
      model.decodes && strip(state, seat),
      model.decodes && model.conditional && labels(state, seat),
      model.decodes && model.book && entries(seat, model.book),
      model.decodes && !model.book && dimensions(seat),
      model.decodes && samples(seat),
      frames.length > 1 && film(state, seat, frames),
    ),
  );
  return { element, plane };
}

function withoutDecoder({ model }: Seat): string {
  const why = `This page cannot run the decoder: ${model.header.decoder_lacks ?? "it is not in the file"}.`;
  if (Remote.there) return `${why} The program that serves the page decodes.`;
  const side = model.header.lattice?.side;
  return `${why} The decoded image is the nearest of ${side} × ${side} that were made with the page; with autoencode explore ${model.header.folder} every code is decoded.`;
}

function acts(state: State, plane: Plane): HTMLElement {
  return el(
    "div",
    { class: "acts" },
    button("Show all", "Brings all points into view (double click, or 0)", () => plane.reset()),
    button("PNG", "Saves the plane as a picture", () => savePng(plane)),
    button("SVG", "Saves the plane as a drawing", () => saveSvg(plane, state)),
  );
}

/** What the plane shows, where there is a choice. */
function charts(seat: Seat): HTMLElement[] {
  const { model } = seat;
  const options = chartsOf(model);
  if (options.length < 2) return [];
  const [first, second] = model.order as [number, number];
  const number = (chosen: number): HTMLSelectElement =>
    el(
      "select",
      { "aria-label": "Number of the code" },
      ...model.order.map((i) => el("option", { value: i, selected: i === chosen }, dimension(i) + (model.dead(i) ? " (dead)" : ""))),
    );
  const [across, up] = [number(first), number(second)];
  const which = el("select", { "aria-label": "Plane" }, ...options.map(([key, text]) => el("option", { value: key }, text)));
  const pair = el("span", { class: "pair" }, across, " and ", up);
  const turn = (): void => {
    pair.hidden = which.value !== "dims";
    seat.turn(which.value === "dims" ? `dims:${across.value}:${up.value}` : which.value);
  };
  for (const select of [which, across, up]) select.addEventListener("change", turn);
  const [kind, i, j] = seat.chart.key.split(":");
  which.value = kind ?? "plane";
  if (i && j) [across.value, up.value] = [i, j];
  pair.hidden = which.value !== "dims";
  return [el("div", { class: "charts" }, which, pair)];
}
