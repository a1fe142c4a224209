// Trains the statistics of a layer on random data, and writes them.
import { writeFile } from "node:fs/promises";
import { BatchNorm } from "batchnorm";
import { save } from "batchnorm/safetensors";

const bn = new BatchNorm(4);
for (let step = 0; step < 100; step++) {
  const batch = Float32Array.from({ length: 64 * 4 }, (_, i) => (i % 4) + 2 * (Math.random() + Math.random() - 1));
  bn.forward(batch, [64, 4]);
}
await writeFile(new URL("model.safetensors", import.meta.url), save({ "input_norm.": bn }));
console.log("model.safetensors written");
