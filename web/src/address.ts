/** What is seen, in the address of the page: a link brings another reader to the same place. */

import type { Plane } from "./plane/plane";
import type { Colouring, State } from "./state";
import { settled } from "./topic";

/** Longer codes are left out of an address. */
const LONGEST = 64;

/** Writes the address whenever what is seen settles. */
export function keepAddress(state: State, planes: readonly Plane[]): void {
  const write = settled(() => {
    try {
      history.replaceState(null, "", `#${address(state, planes)}`);
    } catch {
      // In a notebook the page is a frame that has no address of its own.
    }
  }, 300);
  for (const topic of [state.restyled, state.pointed]) topic.on(write);
  for (const { seat, seen } of planes) {
    seen.on(write);
    seat.moved.on(write);
    seat.turned.on(write);
  }
}

function address(state: State, planes: readonly Plane[]): string {
  const said = new URLSearchParams({ colour: state.colouring });
  for (const name of ["backdrop", "density", "dots", "arc"] as const) said.set(name, state[name] ? "1" : "0");
  if (state.only.size) said.set("only", [...state.only].join(" "));
  planes.forEach(({ seat, view }, i) => {
    said.set(`chart${i}`, seat.chart.key);
    said.set(`view${i}`, view.state.map(short).join(" "));
    if (seat.model.conditional) said.set(`label${i}`, String(seat.model.label));
    if (seat.model.d > LONGEST) return;
    said.set(`rest${i}`, [...seat.rest].map(short).join(" "));
    if (seat.pins.length) said.set(`pins${i}`, seat.pins.map((z) => [...z].map(short).join(" ")).join("/"));
  });
  return said.toString();
}

/** Takes what an address says; what it says wrongly is left out. */
export function readAddress(state: State, text: string): void {
  const said = new URLSearchParams(text.replace(/^#/, ""));
  const colouring = said.get("colour");
  if (colouring === "error" || colouring === "none" || (colouring === "label" && state.labels)) {
    state.colouring = colouring satisfies Colouring;
  }
  for (const name of ["backdrop", "density", "dots", "arc"] as const) {
    if (said.has(name)) state[name] = said.get(name) === "1";
  }
  for (const label of numbers(said.get("only")) ?? []) {
    if (label in state.examples.classes) state.only.add(label);
  }
  state.seats.forEach((seat, i) => {
    const { model } = seat;
    seat.turn(said.get(`chart${i}`) ?? "plane");
    const label = Number(said.get(`label${i}`));
    if (model.conditional && label in state.examples.classes) model.label = label;
    const code = (numbersIn: string | null): Float32Array | null => {
      const found = numbers(numbersIn);
      return found?.length === model.d ? Float32Array.from(found) : null;
    };
    seat.rest = code(said.get(`rest${i}`)) ?? seat.rest;
    seat.pins = (said.get(`pins${i}`) ?? "")
      .split("/")
      .map(code)
      .filter((z) => z !== null)
      .slice(-2);
  });
}

/** Takes the part of an address that says where one looks. */
export function readViews(planes: readonly Plane[], text: string): void {
  const said = new URLSearchParams(text.replace(/^#/, ""));
  planes.forEach(({ view }, i) => {
    const found = numbers(said.get(`view${i}`));
    if (found?.length === 3) view.state = found as [number, number, number];
  });
}

function numbers(text: string | null): number[] | null {
  if (!text) return null;
  const found = text.split(" ").map(Number);
  return found.every(Number.isFinite) ? found : null;
}

function short(value: number): string {
  return String(Number(value.toPrecision(5)));
}
