/** Runs every network in a folder on its inputs: for tests that compare with PyTorch. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseGraph } from "../src/runtime/graph";
import { Network } from "../src/runtime/network";

const folder = process.argv[2]!;
for (const name of readdirSync(folder).filter((each) => each.endsWith(".json"))) {
  const path = join(folder, name.slice(0, -".json".length));
  try {
    const network = new Network(
      parseGraph(JSON.parse(readFileSync(`${path}.json`, "utf8"))),
      readFileSync(`${path}.weights`),
    );
    const given = readFileSync(`${path}.inputs`);
    let from = 0;
    const inputs = network.inputs.map(({ size }) => {
      const input = new Float32Array(given.buffer, given.byteOffset + from, size);
      from += 4 * size;
      return input;
    });
    // Twice: what a run leaves behind must not reach the next one.
    network.run(...inputs.map((input) => input.map((x) => 0.5 - x)));
    const outputs = network.run(...inputs);
    const bytes = outputs.map((each) => new Uint8Array(each.slice().buffer));
    writeFileSync(`${path}.outputs`, Buffer.concat(bytes));
  } catch (error) {
    writeFileSync(`${path}.error`, String(error));
  }
}
