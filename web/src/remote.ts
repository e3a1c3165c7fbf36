/** Images from the server that the page came from, for a decoder that the page cannot run. */

import type { Model } from "./model";

export class Remote {
  private latest = 0;
  private busy = false;
  private waiting: (() => void) | null = null;

  constructor(
    private readonly model: Model,
    private readonly number: number,
  ) {}

  /** Whether there is a server to ask. */
  static get there(): boolean {
    return location.protocol.startsWith("http");
  }

  /** Asks for the image of a code; of several asked for while one is made, only the last. */
  ask(z: Float32Array, label: number, show: (image: Float32Array) => void, failed: (why: string) => void): void {
    const mine = ++this.latest;
    const body = JSON.stringify({ model: this.number, z: [...z], c: this.model.told(label) });
    const send = async (): Promise<void> => {
      this.busy = true;
      try {
        const answer = await fetch("decode", { method: "POST", body });
        if (!answer.ok) failed((await answer.text()).trim());
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
