/** In the frame of a notebook: exchanges the current codes, pins and selection with the notebook. */

import { debounce } from "./signal";
import type { State } from "./state";

/** What the page and the notebook share: codes of each model, and rows of the test part. */
export interface Shared {
  codes: number[][];
  pins: number[][][];
  selected: number[];
}

/** Connects the page with the window around its frame, if there is one. */
export function connectHost(state: State, rows: Uint32Array): void {
  const host = window.parent;
  if (host === window) return;
  // Any target origin: the window around the frame has provided the page itself.
  const send = debounce(() => host.postMessage({ autoencode: shared(state, rows) }, "*"), 100);
  state.selectionChanged.on(send);
  for (const { codeChanged } of state.models) codeChanged.on(send);
  window.addEventListener("message", ({ source, data }: MessageEvent<{ autoencode?: Partial<Shared> } | null>) => {
    if (source === host && data?.autoencode) apply(state, rows, data.autoencode);
  });
  send();
}

function shared({ models, selected }: State, rows: Uint32Array): Shared {
  return {
    codes: models.map(({ current }) => [...current]),
    pins: models.map(({ pins }) => pins.map((z) => [...z])),
    selected: selected.map((which) => rows[which] as number),
  };
}

/** Applies values from the notebook; codes of the wrong length and rows not shown are ignored. */
function apply(state: State, rows: Uint32Array, { codes, pins, selected }: Partial<Shared>): void {
  state.models.forEach((modelState, i) => {
    const fits = (z: number[]): boolean => z.length === modelState.model.d && z.every(Number.isFinite);
    const [code, pinned] = [codes?.[i], pins?.[i]];
    if (pinned) modelState.setPins(pinned.filter(fits).map((z) => Float32Array.from(z)));
    if (code && fits(code)) modelState.setCode(Float32Array.from(code));
  });
  if (!selected) return;
  const wanted = new Set(selected);
  state.select(Array.from(rows.keys()).filter((which) => wanted.has(rows[which] as number)));
}
