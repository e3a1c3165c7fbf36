/** What the planes show, and the tool of the cursor. */

import { checkbox, count, el, fixed, radioGroup } from "../dom";
import { type Colouring, type State, type Tool, errorRange } from "../state";

export function toolbar(state: State): HTMLElement {
  const colourings: (readonly [Colouring, string, string])[] = [
    ["error", "error", "Squared error of the reconstruction"],
    ["none", "none", "One colour for all points"],
  ];
  if (state.labels) colourings.unshift(["label", "class", "Class of the example"]);
  const restyle = (change: () => void): void => {
    change();
    state.styleChanged.emit();
  };
  const decodes = state.models.some(({ model }) => model.decodes && model.header.space !== "codes");
  const tools = radioGroup(
    "Tool",
    [
      ["inspect", "inspect", "Move to decode, click to pin, drag to pan, wheel or pinch to zoom"],
      ["lasso", "lasso", "Draw around points to select their examples"],
      ["path", "path", "Draw a path through the plane to decode the codes along it"],
    ],
    state.tool,
    (value) => state.setTool(value as Tool),
  );
  state.toolChanged.on(() => {
    for (const input of tools.querySelectorAll("input")) input.checked = input.value === state.tool;
  });
  return el(
    "div",
    { class: "toolbar", role: "group", "aria-label": "Planes" },
    radioGroup("Colour", colourings, state.colouring, (value) => restyle(() => (state.colouring = value as Colouring))),
    el(
      "div",
      { class: "ticks" },
      decodes &&
        checkbox("decoded backdrop", "Decoded images of a grid over the plane", state.backdrop, (on) => restyle(() => (state.backdrop = on))),
      checkbox("density", "Density of the codes", state.density, (on) => restyle(() => (state.density = on))),
      checkbox("points", "Codes of the examples", state.dots, (on) => restyle(() => (state.dots = on))),
    ),
    tools,
  );
}

/** The classes and their colours, which can be highlighted; or the colour scale of errors. */
export function legend(state: State): HTMLElement {
  const element = el("div", { class: "legend", role: "group", "aria-label": "Colours" });
  const show = (): void => {
    element.replaceChildren(...(state.colouring === "label" ? classes(state) : state.colouring === "error" ? [scale(state)] : []));
  };
  state.styleChanged.on(show);
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
        title: `Class ${name}: ${count(of)} examples. Click to highlight it`,
      },
      dot,
      name,
    );
    chip.addEventListener("click", () => state.highlight(label));
    return [chip];
  });
}

function scale(state: State): HTMLElement {
  const ranges = state.models.map(({ model }) => {
    const [low, high] = errorRange(model);
    return `${model.header.name} ${fixed(low, 1)} to ${fixed(high, 1)}`;
  });
  return el(
    "span",
    { class: "range" },
    `squared error, summed over ${state.models[0]?.model.sizeText}: low `,
    el("i", { class: "ramp" }),
    ` high (${ranges.join("; ")} or more)`,
  );
}
