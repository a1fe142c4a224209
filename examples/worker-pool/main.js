// Normalizes eight tensors on two workers, and compares the results with those of this thread.
import { BatchNorm } from "batchnorm";
import { Pool } from "./pool.js";

const shape = [8, 16, 28, 28];
const size = shape.reduce((a, b) => a * b, 1);

/** A tensor in shared memory, which all workers see. */
function draw(seed) {
  const x = new Float32Array(new SharedArrayBuffer(4 * size));
  for (let i = 0; i < size; i++) x[i] = ((i * 7919 + seed * 104729) % 1009) / 500 - 1;
  return x;
}

const bn = new BatchNorm(16);
for (let step = 0; step < 20; step++) bn.forward(draw(step), shape, { save: false });
bn.eval();

const pool = new Pool(2, bn);
const tensors = Array.from({ length: 8 }, (_, i) => draw(100 + i));
const outputs = await Promise.all(tensors.map((x) => pool.normalize(x, shape)));
const same = outputs.filter((y, i) => {
  const expected = bn.forward(tensors[i], shape);
  return y.every((value, j) => Object.is(value, expected[j]));
});
console.log(`${same.length} of ${outputs.length} outputs have the bits of this thread's, ${bn.backend}`);
const error = await pool.normalize(draw(1), [3, 5]).catch((reason) => reason);
console.log(`a job that cannot be done: ${error.message}`);
await pool.close();
