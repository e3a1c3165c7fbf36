/** A thing that happens, and those who want to hear of it. */
export class Topic<Said = void> {
  private readonly listeners: ((said: Said) => void)[] = [];

  on(listener: (said: Said) => void): void {
    this.listeners.push(listener);
  }

  say(said: Said): void {
    for (const listener of this.listeners) listener(said);
  }
}

/** Runs a job once the calls for it have stopped for so many milliseconds. */
export function settled(job: () => void, after: number): () => void {
  let timer = 0;
  return () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(job, after);
  };
}

/** Runs a job once before the next picture of the screen, however often it is called for. */
export function once(job: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      job();
    });
  };
}
