/** The entry point: reads the content of the page, and builds it. */

import { type Content, fromBase85, readContent } from "./content";
import { el } from "./dom";
import { connectHost } from "./host";
import { Model } from "./model";
import { build } from "./page";
import { readSnapshots } from "./panels/snapshots";
import { LatentGrid, SpriteSheet } from "./picture";
import { State } from "./state";

/** Milliseconds between two requests for the version of the page. */
const POLL = 1500;

async function begin(into: HTMLElement): Promise<void> {
  const element = document.getElementById("content");
  if (!element?.textContent) {
    throw new Error("This page has no content. Make one: autoencode explore RUN --html out.html");
  }
  const content = await readContent(fromBase85(element.textContent));
  element.remove();
  const state = await stateOf(content);
  build(state, into);
  connectHost(state, content.integers(content.header.examples.rows) as Uint32Array);
  if (content.header.watched) reloadWhenRenewed();
  document.documentElement.dataset["ready"] = String(Math.round(performance.now()));
}

async function stateOf(content: Content): Promise<State> {
  const { header } = content;
  const { examples } = header;
  const models = header.models.map((model) => new Model(model, content));
  const sprites = await SpriteSheet.read(content, examples);
  const latentGrids = await Promise.all(
    header.models.map(async ({ latent_grid: grid }) => {
      return grid ? new LatentGrid(await SpriteSheet.read(content, grid), grid.side, grid.low, grid.high) : null;
    }),
  );
  const snapshots = await Promise.all(header.models.map((model) => readSnapshots(model.snapshots, content)));
  const labels = examples.labels && (content.integers(examples.labels) as Uint16Array);
  return new State(header, models, { sprites, latentGrids, snapshots, labels });
}

/** Reloads the page when its server has a newer one; the address keeps the state. */
function reloadWhenRenewed(): void {
  let current: string | null = null;
  window.setInterval(async () => {
    try {
      const version = await (await fetch("version")).text();
      if (current !== null && version !== current) location.reload();
      current = version;
    } catch {
      // The server has stopped; the page remains usable.
    }
  }, POLL);
}

// Without this mark, the page says that it is damaged.
document.documentElement.dataset["started"] = "";
const app = document.getElementById("app") ?? document.body;
begin(app).catch((error: unknown) => {
  app.replaceChildren(
    el("p", { class: "failed", role: "alert" }, error instanceof Error ? error.message : String(error)),
  );
});
