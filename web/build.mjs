// Bundles the page's program and its looks into the Python package: node build.mjs [FOLDER]
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
  entryPoints: { explorer: join(here, "src/main.ts"), looks: join(here, "src/page.css") },
  format: "iife",
});
// What a notebook loads is a module.
await build({ ...settings, entryPoints: { widget: join(here, "src/widget.ts") }, format: "esm" });
