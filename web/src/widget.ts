/** The explorer in a notebook: the page in a frame, and what is seen in it shared with the kernel. */

import type { Seen } from "./host";

/** What a notebook shares with its kernel (anywidget's interface, as far as it is used). */
interface Shared {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  on(event: string, heard: () => void): void;
  off(event: string, heard: () => void): void;
  save_changes(): void;
}

interface Traits extends Seen {
  _page: string;
  _title: string;
  height: number;
}

const NAMES = ["codes", "pins", "selected"] as const;

function render({ model, el }: { model: Shared; el: HTMLElement }): () => void {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts allow-downloads");
  frame.allow = "clipboard-write *";
  frame.title = model.get("_title");
  frame.style.cssText = `width: 100%; height: ${model.get("height")}px; border: 0`;
  frame.srcdoc = model.get("_page");

  // What the page is known to show, as text: it is not told that again.
  const known = new Map<string, string>();
  let taking = false;
  /** Tells the page what the kernel has and it has not; whether there was any. */
  const tell = (names: readonly (keyof Seen)[] = NAMES): boolean => {
    const news = names.filter((name) => known.size && known.get(name) !== JSON.stringify(model.get(name)));
    const asked = Object.fromEntries(news.map((name) => [name, model.get(name)]));
    if (news.length) frame.contentWindow?.postMessage({ autoencode: asked }, "*");
    return news.length > 0;
  };
  const heard = ({ source, data }: MessageEvent<{ autoencode?: Seen } | null>): void => {
    const seen = data?.autoencode;
    if (source !== frame.contentWindow || !seen) return;
    const first = !known.size;
    for (const name of NAMES) known.set(name, JSON.stringify(seen[name]));
    // What was asked for before the page could hear it comes first.
    if (first && tell(NAMES.filter((name) => model.get(name).length))) return;
    taking = true;
    for (const name of NAMES) model.set(name, seen[name]);
    taking = false;
    model.save_changes();
  };
  // Of three that change at once, the first is heard while the others are still the old ones.
  const changed = (): void => {
    if (!taking) tell();
  };
  // A notebook that moves the frame loads it anew.
  frame.addEventListener("load", () => known.clear());
  window.addEventListener("message", heard);
  for (const name of NAMES) model.on(`change:${name}`, changed);
  el.append(frame);
  return () => {
    window.removeEventListener("message", heard);
    for (const name of NAMES) model.off(`change:${name}`, changed);
  };
}

export default { render };
