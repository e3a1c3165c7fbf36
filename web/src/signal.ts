/** Signals, and functions that delay or merge calls. */

/** An event with listeners. */
export class Signal<Value = void> {
  private readonly listeners: ((value: Value) => void)[] = [];

  on(listener: (value: Value) => void): void {
    this.listeners.push(listener);
  }

  emit(value: Value): void {
    for (const listener of this.listeners) listener(value);
  }
}

/** A function that runs a job once its calls have paused for so many milliseconds. */
export function debounce(job: () => void, milliseconds: number): () => void {
  let timer = 0;
  return () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(job, milliseconds);
  };
}

/** A function that runs a job before the next frame, once for any number of calls. */
export function oncePerFrame(job: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      job();
    });
  };
}
