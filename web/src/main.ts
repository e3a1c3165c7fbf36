/** Reads what travels with the page, and builds it. */

import { type Content, fromText, readContent } from "./content";
import { el } from "./dom";
import { speakWithHost } from "./host";
import { Model } from "./model";
import { build } from "./page";
import { framesOf } from "./panels/film";
import { Lattice, Sheet } from "./picture";
import { State } from "./state";

/** Milliseconds between two questions to the server. */
const EVERY = 1500;

async function begin(into: HTMLElement): Promise<void> {
  const carried = document.getElementById("content");
  if (!carried?.textContent) {
    throw new Error("This page has nothing to show. Make one: autoencode explore RUN --html out.html");
  }
  const content = await readContent(fromText(carried.textContent));
  carried.remove();
  const state = await stateOf(content);
  build(state, into);
  speakWithHost(state, content.whole(content.header.examples.rows) as Uint32Array);
  if (content.header.watched) follow();
  document.documentElement.dataset["ready"] = String(Math.round(performance.now()));
}

async function stateOf(content: Content): Promise<State> {
  const { header } = content;
  const { examples } = header;
  const models = header.models.map((model) => new Model(model, content));
  const sheet = await Sheet.read(content.bytes(examples.sheet), examples);
  const lattices = await Promise.all(
    header.models.map(async ({ lattice }) => {
      if (!lattice) return null;
      return new Lattice(await Sheet.read(content.bytes(lattice.sheet), lattice), lattice.side, lattice.low, lattice.high);
    }),
  );
  const films = await Promise.all(header.models.map((model) => framesOf(model.film, content)));
  const labels = examples.labels && (content.whole(examples.labels) as Uint16Array);
  return new State(header, models, { sheet, lattices, films, labels });
}

/** Loads the page anew when its server has another; the address keeps what is seen. */
function follow(): void {
  let known: string | null = null;
  window.setInterval(async () => {
    try {
      const version = await (await fetch("version")).text();
      if (known !== null && version !== known) location.reload();
      known = version;
    } catch {
      // The server has stopped: what is here stays.
    }
  }, EVERY);
}

const app = document.getElementById("app") as HTMLElement;
begin(app).catch((error: unknown) => {
  app.replaceChildren(
    el("p", { class: "failed", role: "alert" }, error instanceof Error ? error.message : String(error)),
  );
});
