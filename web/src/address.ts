/** The state of the page in its address, so that a link shows the same view. */

import { defaultChart } from "./chart";
import type { Plane } from "./plane/plane";
import { debounce } from "./signal";
import type { Colouring, State } from "./state";

/** Longer codes are left out of the address. */
const MAX_DIMENSIONS = 64;
const FLAGS = ["backdrop", "density", "dots", "arc"] as const;

/** Writes the address after every change. */
export function keepAddress(state: State, planes: readonly Plane[]): void {
  const write = debounce(() => {
    try {
      history.replaceState(null, "", `#${address(state, planes)}`);
    } catch {
      // In a notebook the page is a frame without an address of its own.
    }
  }, 300);
  for (const signal of [state.styleChanged, state.markChanged, state.lessonChanged]) signal.on(write);
  for (const { modelState, viewChanged } of planes) {
    for (const signal of [viewChanged, modelState.codeChanged, modelState.chartChanged]) signal.on(write);
  }
}

function address(state: State, planes: readonly Plane[]): string {
  const values = new URLSearchParams({ colour: state.colouring });
  for (const name of FLAGS) values.set(name, state[name] ? "1" : "0");
  if (state.lesson) values.set("lesson", state.lesson);
  if (state.only.size) values.set("only", [...state.only].join(" "));
  planes.forEach(({ modelState, view }, i) => {
    const { model, chart, current, pins } = modelState;
    values.set(`chart${i}`, chart.key);
    values.set(`view${i}`, view.state.map(short).join(" "));
    if (model.conditional) values.set(`label${i}`, String(model.label));
    if (model.d > MAX_DIMENSIONS) return;
    values.set(`code${i}`, [...current].map(short).join(" "));
    if (pins.length) values.set(`pins${i}`, pins.map((z) => [...z].map(short).join(" ")).join("/"));
  });
  return values.toString();
}

/** Applies an address to the state; invalid values are ignored. */
export function readAddress(state: State, text: string): void {
  const values = new URLSearchParams(text.replace(/^#/, ""));
  const colouring = values.get("colour");
  if (colouring === "error" || colouring === "none" || (colouring === "label" && state.labels)) {
    state.colouring = colouring satisfies Colouring;
  }
  for (const name of FLAGS) {
    if (values.has(name)) state[name] = values.get(name) === "1";
  }
  state.lesson = values.get("lesson");
  for (const label of numbers(values.get("only")) ?? []) {
    if (label in state.examples.classes) state.only.add(label);
  }
  state.models.forEach((modelState, i) => {
    const { model } = modelState;
    modelState.setChart(values.get(`chart${i}`) ?? defaultChart(model));
    const label = Number(values.get(`label${i}`));
    if (model.conditional && label in state.examples.classes) model.label = label;
    const code = (part: string | null): Float32Array | null => {
      const found = numbers(part);
      return found?.length === model.d ? Float32Array.from(found) : null;
    };
    modelState.current = code(values.get(`code${i}`)) ?? modelState.current;
    modelState.pins = (values.get(`pins${i}`) ?? "")
      .split("/")
      .map(code)
      .filter((z) => z !== null)
      .slice(-2);
  });
}

/** Applies the views of an address to the planes. */
export function readViews(planes: readonly Plane[], text: string): void {
  const values = new URLSearchParams(text.replace(/^#/, ""));
  planes.forEach(({ view }, i) => {
    const found = numbers(values.get(`view${i}`));
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
