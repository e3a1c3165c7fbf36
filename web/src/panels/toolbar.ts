/** What is drawn on all planes, and what the hand does there. */

import { choice, count, digits, el, tick } from "../dom";
import { type Colouring, type State, type Tool, errorRange } from "../state";

export function toolbar(state: State): HTMLElement {
  const colourings: (readonly [Colouring, string, string])[] = [
    ["error", "error", "Squared error of each reconstruction"],
    ["none", "none", "All points alike"],
  ];
  if (state.labels) colourings.unshift(["label", "label", "The class of each example"]);
  const restyle = (change: () => void): void => {
    change();
    state.restyled.say();
  };
  const decodes = state.seats.some(({ model, chart }) => model.decodes && chart.lift);
  const tools = choice(
    "Hand",
    [
      ["look", "look", "Move to decode, click to pin, drag to pan, wheel or pinch to zoom"],
      ["lasso", "lasso", "Draw around points to see their originals"],
      ["path", "path", "Draw a way through the plane and watch it decode"],
    ],
    state.tool,
    (value) => {
      state.tool = value as Tool;
      state.taken.say();
    },
  );
  return el(
    "div",
    { class: "toolbar", role: "group", "aria-label": "Planes" },
    choice("Colour", colourings, state.colouring, (value) => restyle(() => (state.colouring = value as Colouring))),
    el(
      "div",
      { class: "ticks" },
      decodes &&
        tick("decoded backdrop", "What every place of the plane decodes to", state.backdrop, (on) => restyle(() => (state.backdrop = on))),
      tick("density", "Shades where codes lie densely; gaps stay empty", state.density, (on) => restyle(() => (state.density = on))),
      tick("points", "The codes of the examples", state.dots, (on) => restyle(() => (state.dots = on))),
    ),
    tools,
  );
}

/** Classes and their colours, to be picked out; or the range that colours run over. */
export function legend(state: State): HTMLElement {
  const element = el("div", { class: "legend", role: "group", "aria-label": "Colours" });
  const show = (): void => {
    element.replaceChildren(...(state.colouring === "label" ? classes(state) : state.colouring === "error" ? [range(state)] : []));
  };
  state.restyled.on(show);
  show();
  return element;
}

function classes(state: State): HTMLElement[] {
  const counts = new Map<number, number>();
  for (const label of state.labels ?? []) counts.set(label, (counts.get(label) ?? 0) + 1);
  return state.examples.classes.flatMap((name, label) => {
    const of = counts.get(label);
    if (!of) return [];
    const dot = el("i", {});
    dot.style.background = state.examples.colours[label] ?? "";
    const chip = el(
      "button",
      {
        type: "button",
        "aria-pressed": String(state.only.has(label)),
        title: `${count(of)} examples of ${name}; click to pick this class out`,
      },
      dot,
      name,
    );
    chip.addEventListener("click", () => state.pick(label));
    return [chip];
  });
}

function range(state: State): HTMLElement {
  const ranges = state.seats.map(({ model }) => {
    const [low, high] = errorRange(model);
    return `${model.header.name} ${digits(low, 1)} to ${digits(high, 1)}`;
  });
  return el("span", { class: "range" }, "squared error: low ", el("i", { class: "ramp" }), ` high (${ranges.join("; ")} and above)`);
}
