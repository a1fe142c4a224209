// The text of docs/accuracy.md around its figures.
import { extentOf, NAMES, type Errors, type Name, type Row } from "./accuracy-data.js";

export interface Measured {
  readonly row: Row;
  readonly ours: Errors;
  /** Of the variance that `batchNormMoments` returns in float64; the running one is rounded to float32. */
  readonly wideVariance: number;
}

/** Why PyTorch is closer, where it is. */
const NOTES = {
  a: `Sums. To judge by its errors, PyTorch adds planes in float64. It adds rows in float32 around the mean itself, in two
passes over memory. The library adds the squares of a block of at most 2048 values in float32 lanes. It takes them
around a value that is near the mean, and merges the blocks in float64. If that value is z standard deviations off the mean, the rounding error grows
by the factor 1 + z². A block is summed a second time where z exceeds 0.7 (see the [contract](contract.md)). More values
mean more blocks, and the errors average out. Half of the variance's relative error is the error of y.`,
  b: `Data on a grid. Near a ratio of 10⁴ the float32 data themselves are multiples of 2⁻¹⁰ standard deviations. Rounding their
squares has a bias of about 4.6e−7 of the variance, for any number of values. A finer grid has no such bias, and a coarser one
adds exactly.`,
  c: `Tiny errors of the mean. Below 1e−8 standard deviations, float32 outputs cannot show them.`,
  d: `Elements. The variance is as exact as PyTorch's or more exact. But the difference from the mean, the scale, the product
and the sum each round to float32. Together that is at most four halves of a unit in the last place. PyTorch's form x·α + β′ has one
rounding fewer, and it loses more where the mean is large.`,
  e: `An outlier. Its square is 10⁸. Every later square in the same float32 lane is added to that and rounded to a multiple
of 8. One lane holds one value in 16, of one block.`,
} as const;

type Note = keyof typeof NOTES;

const isBehind = (ours: number | null, torch: number | null): boolean => (ours ?? Infinity) > (torch ?? Infinity);

function noteOf({ row, ours }: Measured, name: Name): Note | null {
  if (!isBehind(ours[name], row.torch[name])) return null;
  if (row.mean / row.std === 1e4) return "b";
  if (name === "mean" && ours.mean! < 1e-8) return "c";
  if (row.kind === "outlier") return "e";
  const elements = name === "y" || name === "dx";
  return elements && !isBehind(ours.variance, row.torch.variance) ? "d" : "a";
}

function figure(error: number | null): string {
  return error === null ? "∞" : error.toExponential(1).replace("e-", "e−").replace("e+", "e").replace("e0", "");
}

function lineOf(measured: Measured): string {
  const { row, ours } = measured;
  const { outer, inner } = extentOf(row);
  const pairs = NAMES.flatMap((name) => {
    const note = noteOf(measured, name);
    return [`${figure(ours[name])}${note ? ` [${note}]` : ""}`, figure(row.torch[name])];
  });
  return `| ${[row.data, (outer * inner).toLocaleString("en"), row.shape.join("×"), ...pairs].join(" | ")} |`;
}

function noteTexts(all: readonly Measured[]): string {
  const used = new Set(all.flatMap((measured) => NAMES.map((name) => noteOf(measured, name))));
  return (Object.keys(NOTES) as Note[])
    .filter((note) => used.has(note))
    .map((note) => `- **[${note}]** ${NOTES[note].replaceAll("\n", "\n  ")}`)
    .join("\n");
}

function summary(all: readonly Measured[]): string {
  const behind = all.flatMap((measured) => NAMES.filter((name) => noteOf(measured, name) !== null));
  const largest = (of: (measured: Measured) => number | null): string =>
    figure(Math.max(...all.map((m) => of(m) ?? 0)));
  return `Of ${all.length * NAMES.length} errors, ${all.length * NAMES.length - behind.length} are at most as large as PyTorch's.
The largest error of y is ${largest(({ ours }) => ours.y)} for the library and ${largest(({ row }) => row.torch.y)} for PyTorch.
The largest error of dx is ${largest(({ ours }) => ours.dx)} for the library and ${largest(({ row }) => row.torch.dx)} for PyTorch.
A letter marks where PyTorch is closer. The reasons are below the table.`;
}

export function pageOf(all: readonly Measured[], versions: Readonly<Record<string, string | number>>): string {
  const wide = Math.max(...all.filter(({ row }) => row.eps === 0).map(({ wideVariance }) => wideVariance));
  return `# Accuracy

This page shows the errors of a float32 training step, forward and backward. The reference is float64 with compensated sums.
The library (bn) stands beside PyTorch on the same data. All backends of the library return the same bits, so one column stands
for all of them.

Each figure is the largest error over all channels and elements:

| column | the error is relative to |
|---|---|
| mean | the standard deviation |
| variance | the variance |
| y, the output | the larger of 1 and the absolute value of y |
| dx, the gradient of the input | the largest absolute value of γ·dy/√(σ² + ε), which is dx without its corrections |

Mean and variance are those that the layers keep: float32 running statistics with momentum 1. n is the number of values per
channel. The parameters are γ = 1 and β = 0, and ε is 1e−5, or 0 for the scales 1e±25. "Planes" are channels-first
tensors, and "rows" are matrices of samples and channels.

${summary(all)}

| data | n | shape | mean: bn | PyTorch | variance: bn | PyTorch | y: bn | PyTorch | dx: bn | PyTorch |
|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|
${all.map(lineOf).join("\n")}

## Where PyTorch is closer

${noteTexts(all)}

## What else the figures show

- A running mean in float32 is off by up to half a unit of its own last place. With a ratio of mean to standard deviation of
  10⁶, that is 0.03 standard deviations. The normalization does not use the rounded mean, so y is exact all the same.
- At the scale 1e±25 the variance is no float32 number. Both libraries' running variances become infinite or 0. The library's
  \`batchNormMoments\` returns the variance in float64, with an error of at most ${figure(wide)}, and normalizes with that. PyTorch's
  y has lost its scale.
- The mean of float64 data is one float64 number. If the ratio of mean to standard deviation is R, y is exact to about R/2
  units in the last place.

## Commands and versions

    apt-get install python3-torch python3-numpy      # on Debian; only needed to compute PyTorch's errors again
    /usr/bin/python3 scripts/torch/accuracy.py       # computes PyTorch's errors: scripts/torch/accuracy.jsonl
    npx tsx scripts/docs/accuracy.ts                 # computes the library's errors and writes this page

The data are sums of 12 uniform numbers of a seeded generator. They have the same bits in both languages, and the script stops
where a checksum differs. Versions: ${Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")}.
`;
}
