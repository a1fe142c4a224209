// Writes docs/accuracy.md: the library's errors against float64 beside PyTorch's on the same data.
// npx tsx scripts/docs/accuracy.ts
import { writeFileSync } from "node:fs";
import { BatchNorm, contractVersion, moments } from "../../src/index.js";
import { bitsOf, channelOf, extentOf, inputsOf, provenance, rows, type Name, type Row } from "./accuracy-data.js";
import { pageOf, type Measured } from "./accuracy-page.js";

/** The largest magnitude; null once one is not finite. */
function larger(largest: number | null, value: number): number | null {
  return largest === null || !Number.isFinite(value) ? null : Math.max(largest, Math.abs(value));
}

function measure(row: Row): Measured {
  const inputs = inputsOf(row);
  if (bitsOf(inputs) !== row.bits) throw new Error(`${row.data}: not the data that PyTorch had`);
  const { x, dy } = inputs;
  const { outer, channels, inner } = extentOf(row);
  const layer = new BatchNorm(channels, { momentum: 1, eps: row.eps });
  const y = layer.forward(x, row.shape);
  const { gradInput } = layer.backward(dy);
  const { m2 } = moments(x, row.shape);
  const n = outer * inner;
  const ours: Record<Name, number | null> = { mean: 0, variance: 0, y: 0, dx: 0 };
  let [wideVariance, gradient, scale] = [0, 0, 0];
  for (let c = 0; c < channels; c++) {
    const truth = channelOf(row, x, dy, c);
    const variance = truth.m2 / (n - 1);
    ours.mean = larger(ours.mean, (layer.runningMean![c]! - truth.mean) / Math.sqrt(variance));
    ours.variance = larger(ours.variance, layer.runningVar![c]! / variance - 1);
    wideVariance = Math.max(wideVariance, Math.abs(m2[c]! / truth.m2 - 1));
    for (let t = 0; t < n; t++) {
      const p = truth.at(t);
      const wanted = (x[p]! - truth.mean) * truth.r;
      ours.y = larger(ours.y, (y[p]! - wanted) / Math.max(1, Math.abs(wanted)));
      gradient = Math.max(gradient, Math.abs(gradInput[p]! - truth.dx(p)));
      scale = Math.max(scale, Math.abs(truth.r * dy[p]!));
    }
  }
  return { row, ours: { ...ours, dx: gradient / scale }, wideVariance };
}

const measured = rows.map((row, i) => {
  console.log(`${i + 1}/${rows.length} ${row.data}, ${row.shape.join("×")}`);
  return measure(row);
});
const versions = { ...provenance, contract: contractVersion, node: process.version, backend: new BatchNorm(1).backend };
writeFileSync(new URL("../../docs/accuracy.md", import.meta.url), pageOf(measured, versions));
