/** In a frame: tells the program around the page what is seen in it, and does what that asks. */

import type { State } from "./state";
import { settled } from "./topic";

/** What goes through the frame, both ways: codes of each model, and rows of the data's test part. */
export interface Seen {
  codes: number[][];
  pins: number[][][];
  selected: number[];
}

/** Speaks with the program around the page; without one, with nobody. */
export function speakWithHost(state: State, rows: Uint32Array): void {
  const host = window.parent;
  if (host === window) return;
  // What is seen is no secret to whom the page was given by.
  const tell = settled(() => host.postMessage({ autoencode: seen(state, rows) }, "*"), 100);
  state.chosen.on(tell);
  for (const { moved } of state.seats) moved.on(tell);
  window.addEventListener("message", ({ source, data }: MessageEvent<{ autoencode?: Partial<Seen> } | null>) => {
    if (source === host && data?.autoencode) show(state, rows, data.autoencode);
  });
  tell();
}

function seen({ seats, selected }: State, rows: Uint32Array): Seen {
  return {
    codes: seats.map(({ rest }) => [...rest]),
    pins: seats.map(({ pins }) => pins.map((z) => [...z])),
    selected: selected.map((which) => rows[which] as number),
  };
}

/** Shows what is asked for; what this page does not have is left out. */
function show(state: State, rows: Uint32Array, { codes, pins, selected }: Partial<Seen>): void {
  state.seats.forEach((seat, i) => {
    const fits = (z: number[]): boolean => z.length === seat.model.d && z.every(Number.isFinite);
    const [code, pinned] = [codes?.[i], pins?.[i]];
    if (pinned) seat.pinAll(pinned.filter(fits).map((z) => Float32Array.from(z)));
    if (code && fits(code)) seat.restAt(Float32Array.from(code));
  });
  if (!selected) return;
  const wanted = new Set(selected);
  state.select(Array.from(rows.keys()).filter((which) => wanted.has(rows[which] as number)));
}
