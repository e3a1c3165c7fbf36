/** Requests decoded images from the server of the page, for a decoder that the page cannot run. */

import type { Model } from "./model";

export class Remote {
  private latest = 0;
  private busy = false;
  private waiting: (() => void) | null = null;

  constructor(
    private readonly model: Model,
    private readonly number: number,
  ) {}

  /** Whether `autoencode explore` serves the page; a published file has no such server. */
  static get available(): boolean {
    return "live" in document.documentElement.dataset;
  }

  /** Requests the image of a code; of several requests made while one is running, only the last. */
  decode(z: Float32Array, like: number, show: (image: Float32Array) => void, failed: (why: string) => void): void {
    const mine = ++this.latest;
    const context = this.model.pythonContext(this.model.label, like);
    const body = JSON.stringify({ model: this.number, z: [...z], context });
    const send = async (): Promise<void> => {
      this.busy = true;
      try {
        const answer = await fetch("decode", { method: "POST", body });
        if (!answer.ok) failed(((await answer.json()) as { error: string }).error);
        else if (mine === this.latest) show(new Float32Array(await answer.arrayBuffer()));
      } catch {
        failed("The server has stopped.");
      }
      this.busy = false;
      const { waiting } = this;
      this.waiting = null;
      waiting?.();
    };
    if (this.busy) this.waiting = () => void send();
    else void send();
  }
}
