/** Elements, made in one expression. */

type Child = Node | string | null | false;
type Properties = Record<string, string | number | boolean | EventListener | null | undefined>;

/** An element with attributes, listeners ("onclick") and children; text is always shown as text. */
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

/** A canvas of so many pixels for a picture, shown so many CSS pixels wide. */
export function canvas(width: number, height: number, label: string, shown: number): HTMLCanvasElement {
  const made = el("canvas", { width, height, class: "picture", role: "img", "aria-label": label });
  made.style.width = `${shown}px`;
  return made;
}

/** The drawing context of a canvas, whose pixels are read back often or not. */
export function pen(of: HTMLCanvasElement, read = false): CanvasRenderingContext2D {
  const context = of.getContext("2d", { willReadFrequently: read });
  if (!context) throw new Error("This browser gives no canvas to draw on.");
  return context;
}

/** A choice of one of several, as a row of buttons; arrow keys move in it as radio buttons do. */
export function choice(
  name: string,
  options: readonly (readonly [value: string, text: string, tip: string])[],
  chosen: string,
  on: (value: string) => void,
): HTMLElement {
  const group = `choice-${++choices}`;
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
let choices = 0;

/** A box to tick. */
export function tick(
  text: string,
  tip: string,
  on: boolean,
  say: (on: boolean) => void,
): HTMLLabelElement {
  const box = el("input", { type: "checkbox", checked: on });
  box.addEventListener("change", () => say(box.checked));
  return el("label", { class: "tick", title: tip }, box, el("span", {}, text));
}

/** A button. */
export function button(text: string, tip: string, on: () => void): HTMLButtonElement {
  return el("button", { type: "button", title: tip, onclick: on }, text);
}

/** A card of the page, with its heading. */
export function card(title: string, says: string, ...children: Child[]): HTMLElement {
  return el("section", { class: "card" }, el("h3", {}, title), says && el("p", { class: "says" }, says), ...children);
}

/** A number as one reads it, with a true minus. */
export function digits(value: number, places = 2): string {
  return value.toFixed(places).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
}

/** A count with separators. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}
