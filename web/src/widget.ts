/** The notebook widget: the page in a frame, its values shared with the kernel. */

import type { Shared } from "./host";

/** The part of anywidget's model interface that is used here. */
interface WidgetModel {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  on(event: string, listener: () => void): void;
  off(event: string, listener: () => void): void;
  save_changes(): void;
}

interface Traits extends Shared {
  _page: string;
  _title: string;
  height: number;
}

const NAMES = ["codes", "pins", "selected"] as const;

function render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts allow-downloads");
  frame.allow = "clipboard-write *";
  frame.title = model.get("_title");
  frame.style.cssText = `width: 100%; height: ${model.get("height")}px; border: 0`;
  frame.srcdoc = model.get("_page");

  // The values that the page shows, as JSON, so that they are not sent to it again.
  const shown = new Map<string, string>();
  let receiving = false;
  /** Sends the page the values of the kernel that it does not show; whether there were any. */
  const send = (names: readonly (keyof Shared)[] = NAMES): boolean => {
    const changed = names.filter((name) => shown.size && shown.get(name) !== JSON.stringify(model.get(name)));
    const values = Object.fromEntries(changed.map((name) => [name, model.get(name)]));
    if (changed.length) frame.contentWindow?.postMessage({ autoencode: values }, "*");
    return changed.length > 0;
  };
  const receive = ({ source, data }: MessageEvent<{ autoencode?: Shared } | null>): void => {
    const values = data?.autoencode;
    if (source !== frame.contentWindow || !values) return;
    const first = !shown.size;
    for (const name of NAMES) shown.set(name, JSON.stringify(values[name]));
    // Values that the kernel set before the page was ready take precedence.
    if (first && send(NAMES.filter((name) => model.get(name).length))) return;
    receiving = true;
    for (const name of NAMES) model.set(name, values[name]);
    receiving = false;
    model.save_changes();
  };
  // While values are received one after another, the kernel has old and new ones.
  const changed = (): void => {
    if (!receiving) send();
  };
  // A notebook that moves the frame loads the page again.
  frame.addEventListener("load", () => shown.clear());
  window.addEventListener("message", receive);
  for (const name of NAMES) model.on(`change:${name}`, changed);
  el.append(frame);
  return () => {
    window.removeEventListener("message", receive);
    for (const name of NAMES) model.off(`change:${name}`, changed);
  };
}

export default { render };
