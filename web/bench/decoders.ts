/** Prints the milliseconds per run of networks: node decoders.js NAME.json …, with NAME.weights. */

import { readFileSync } from "node:fs";
import { parseGraph } from "../src/runtime/graph";
import { Network } from "../src/runtime/network";

for (const path of process.argv.slice(2)) {
  const graph = parseGraph(JSON.parse(readFileSync(path, "utf8")));
  const network = new Network(graph, readFileSync(path.replace(/\.json$/, ".weights")));
  const inputs = network.inputs.map(({ size }) => new Float32Array(size).fill(0.3));
  const times: number[] = [];
  for (let i = 0; i < 300; i++) {
    const began = performance.now();
    network.run(...inputs);
    times.push(performance.now() - began);
  }
  times.splice(0, 100); // the first runs are slow, until the loops are compiled
  times.sort((a, b) => a - b);
  const [middle, late] = [times[100]!, times[190]!].map((ms) => ms.toFixed(3));
  console.log(`${path}: median ${middle} ms, 95th percentile ${late} ms`);
}
