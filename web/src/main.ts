/** Reads what travels with the page, and builds it. */

import { type Content, fromText, readContent } from "./content";
import { el } from "./dom";
import { Model } from "./model";
import { build } from "./page";
import { Lattice, Sheet } from "./picture";
import { State } from "./state";

async function begin(into: HTMLElement): Promise<void> {
  const carried = document.getElementById("content");
  if (!carried?.textContent) {
    throw new Error("This page has nothing to show. Make one: autoencode explore RUN --html out.html");
  }
  const content = await readContent(fromText(carried.textContent));
  carried.remove();
  build(await stateOf(content), into);
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
  const labels = examples.labels && (content.whole(examples.labels) as Uint16Array);
  return new State(header, models, sheet, lattices, labels);
}

const app = document.getElementById("app") as HTMLElement;
begin(app).catch((error: unknown) => {
  app.replaceChildren(
    el("p", { class: "failed", role: "alert" }, error instanceof Error ? error.message : String(error)),
  );
});
