/** Functions that create elements. */

type Child = Node | string | null | false;
type Properties = Record<string, string | number | boolean | EventListener | null | undefined>;

/** An element with attributes, listeners ("onclick") and children; strings become text nodes. */
export function el<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child): child is Node | string => !!child || child === ""));
  return made;
}

/** A canvas for an image, `shown` CSS pixels wide. */
export function canvas(width: number, height: number, label: string, shown: number): HTMLCanvasElement {
  const made = el("canvas", { width, height, class: "picture", role: "img", "aria-label": label });
  made.style.width = `${shown}px`;
  return made;
}

/** The drawing context of a canvas; `read` if its pixels are read back often. */
export function context2d(of: HTMLCanvasElement, read = false): CanvasRenderingContext2D {
  const context = of.getContext("2d", { willReadFrequently: read });
  if (!context) throw new Error("This browser does not support canvas elements.");
  return context;
}

/** Radio buttons in a row. */
export function radioGroup(
  name: string,
  options: readonly (readonly [value: string, text: string, tip: string])[],
  chosen: string,
  on: (value: string) => void,
): HTMLElement {
  const group = `radio-${++groups}`;
  return el(
    "div",
    { class: "choice", role: "radiogroup", "aria-label": name },
    el("b", { "aria-hidden": "true" }, name),
    ...options.map(([value, text, tip]) =>
      el(
        "label",
        { title: tip },
        el("input", { type: "radio", name: group, value, checked: value === chosen, onchange: () => on(value) }),
        el("span", {}, text),
      ),
    ),
  );
}
let groups = 0;

/** A checkbox with a label. */
export function checkbox(
  text: string,
  tip: string,
  on: boolean,
  change: (on: boolean) => void,
): HTMLLabelElement {
  const box = el("input", { type: "checkbox", checked: on });
  box.addEventListener("change", () => change(box.checked));
  return el("label", { class: "tick", title: tip }, box, el("span", {}, text));
}

/** A button. */
export function button(text: string, tip: string, on: () => void): HTMLButtonElement {
  return el("button", { type: "button", title: tip, onclick: on }, text);
}

/** A section of the page with a heading and a note. */
export function card(title: string, note: string, ...children: Child[]): HTMLElement {
  return el("section", { class: "card" }, el("h3", {}, title), note && el("p", { class: "note" }, note), ...children);
}

/** A number with a fixed number of decimals and a minus sign. */
export function fixed(value: number, places = 2): string {
  return value.toFixed(places).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
}

/** A count with thousands separators. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}
