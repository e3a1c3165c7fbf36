import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const WEB = join(import.meta.dirname, "..");
const PACKAGED = join(WEB, "../src/autoencode/explorer/assets");

test("what the package information is what this source builds", () => {
  const out = mkdtempSync(join(tmpdir(), "bundle-"));
  execFileSync("node", [join(WEB, "build.mjs"), out]);
  expect(readdirSync(out).sort()).toEqual(readdirSync(PACKAGED).sort());
  for (const name of readdirSync(out)) {
    // No dump of both on failure: they are long.
    expect(readFileSync(join(out, name)).equals(readFileSync(join(PACKAGED, name))), `${name}: run make web`).toBe(true);
  }
});
