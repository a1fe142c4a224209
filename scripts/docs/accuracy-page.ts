// The text of docs/accuracy.md around its figures.
import { extentOf, NAMES, type Errors, type Name, type Row } from "./accuracy-data.js";

export interface Measured {
  readonly row: Row;
  readonly ours: Errors;
  /** Of the variance that `moments` gives in float64; the running one is rounded to float32. */
  readonly wideVariance: number;
}

/** Why PyTorch is closer, where it is. */
const NOTES = {
  a: `Sums. To judge by its errors, PyTorch adds planes in float64, and rows in float32 around the mean itself, in two passes over memory. Here
the squares of a block of at most 2048 values are added in 16 float32 lanes (in the rows traversal up to 128 in one), around
a first value or the mean so far; blocks merge in float64. A shift z deviations off the mean costs 1 + z² times the
rounding, up to z = 0.7, where the second pass begins ([contract](contract.md), clause 2). More values merge more blocks, and the error
averages out. Half of the variance's relative error is y's.`,
  b: `Data on a grid. Near mean/std 10⁴ the float32 data themselves are multiples of 2⁻¹⁰ deviations; their squares round
with a bias, which leaves about 4.6e−7 of the variance, whatever n is. A finer grid has no such bias, a coarser one
adds exactly.`,
  c: `Means below 1e−8 deviations off: y in float32 cannot show them.`,
  d: `Elements. The variance is as good as PyTorch's or better, but x − center, the scale, the product and the sum each
round to float32: up to four halves of a unit in the last place. PyTorch's x·α + β′ has one rounding fewer, and
pays for it where the mean is large.`,
  e: `An outlier. Its square is 10⁸, and every later one of its float32 lane (one value in 16, of one block) is added to
that and rounded to a multiple of 8.`,
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
  return `Of ${all.length * NAMES.length} errors ${all.length * NAMES.length - behind.length} are at most PyTorch's.
The largest error of y is ${largest(({ ours }) => ours.y)} here and ${largest(({ row }) => row.torch.y)} there; of dx
${largest(({ ours }) => ours.dx)} and ${largest(({ row }) => row.torch.dx)}.
Letters: why PyTorch is closer, explained below the table.`;
}

export function pageOf(all: readonly Measured[], versions: Readonly<Record<string, string | number>>): string {
  const wide = Math.max(...all.filter(({ row }) => row.eps === 0).map(({ wideVariance }) => wideVariance));
  return `# Accuracy

Errors of a float32 training step, forward and backward, against float64 with compensated sums: the library's (bn)
beside PyTorch's on the same data. Every backend of the library gives the same bits, so one column stands for all.

Largest errors over all channels and elements: of the mean in standard deviations, of the variance relative to it (both
as the layers keep them, float32 running statistics with momentum 1), of y relative to
max(1, |y|), of dx relative to the largest |γ·r·dy|. γ = 1, β = 0, ε = 1e−5; ε = 0 for the scales 1e±25. n is the number of values per channel.

${summary(all)}

| data | n | shape | mean: bn | PyTorch | variance: bn | PyTorch | y: bn | PyTorch | dx: bn | PyTorch |
|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|
${all.map(lineOf).join("\n")}

## Where PyTorch is closer

${noteTexts(all)}

## What else the figures show

- Near mean/std 10⁴ the data's own float32 grid leaves about 4.6e−7 of the variance whatever n is.
- A running mean in float32 is off by up to half a unit of its own last place: at mean/std 10⁶ by 0.03 deviations. The
  normalization does not go through it, hence the exact y beside it.
- The variance at scale 1e±25 is no float32 number: running statistics overflow to ∞ or underflow to 0 in both.
  \`moments\` has it in float64, with an error of at most ${figure(wide)}, and normalizes with that; PyTorch's y has lost its scale.
- float64 data keep their mean in one float64 number: of data with mean/std R, y is exact to about R/2 units in the last
  place.

## Commands and versions

    apt-get install python3-torch python3-numpy      # Debian; only to write PyTorch's figures again
    /usr/bin/python3 scripts/torch/accuracy.py       # PyTorch's errors: scripts/torch/accuracy.jsonl
    npx tsx scripts/docs/accuracy.ts                      # the library's errors, and this page

Data are sums of 12 uniform numbers of a seeded generator, the same bits in both languages: the script stops where a
checksum differs. Versions: ${Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")}.
`;
}
