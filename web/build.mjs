// Bundles the program and the styles of the page into the Python package: node build.mjs [FOLDER]
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "../src/autoencode/explorer/assets");

mkdirSync(out, { recursive: true });
const settings = {
  outdir: out,
  bundle: true,
  minify: true,
  target: ["chrome111", "firefox115", "safari16.4"],
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
};
await build({
  ...settings,
  entryPoints: { explorer: join(here, "src/main.ts"), styles: join(here, "src/styles.css") },
  format: "iife",
});
// A notebook loads the widget as a module.
await build({ ...settings, entryPoints: { widget: join(here, "src/widget.ts") }, format: "esm" });
