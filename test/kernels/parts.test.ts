// Sums in several calls cut between blocks, and tensors larger than WASM's memory: the bits of the whole.
import { describe, expect, test } from "vitest";
import { affineCoefficients, batchInvStd } from "../../src/kernels/coefficients.js";
import { Control, Part, Walk, sequentialLength, walkOf, type Extent } from "../../src/kernels/control.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { allocate, type Floats as Data, type FloatType as DType } from "../../src/base/types.js";
import { backendsUnderTest, reportMissing, smallWasm, arenaWasm } from "../support/backends.js";
import { cases, sizeOf, type Case } from "../../src/verify/cases.js";
import { gradients, positionWeights, random, values, type Kind } from "../../src/verify/data.js";
import { runCase } from "../support/kernel-runner.js";
import { referenceOf } from "../../src/verify/case-reference.js";
import { sample } from "../support/sample.js";
import { nameOf } from "../support/textbook.js";

const available = [...backendsUnderTest, ...smallWasm(), ...arenaWasm()].flatMap(({ name, kernels }) =>
  kernels ? [{ name, kernels }] : [],
);

/** Each more than 32 blocks, so that a cut may fall within a group or between two; the last part of some is one value. */
const EXTENTS: readonly Extent[] = [
  { outer: 103, channels: 2, inner: 513 },
  { outer: 5, channels: 2, inner: 8 * 2048 + 1 },
  { outer: 34 * 128 + 1, channels: 16, inner: 1 },
  { outer: 33 * 128 + 5, channels: 3, inner: 7 },
  { outer: 33 * 2048 + 1, channels: 2, inner: 1 },
  { outer: 32 * 2048 + 9, channels: 1, inner: 2 },
];

/** Blocks in a part, for each tensor. */
const CUTS = EXTENTS.flatMap((extent) => [1, 5, 32, 33].map((blocks) => ({ name: nameOf(extent), blocks })));
const cuts = sample("tensors cut into parts", CUTS, 8, ({ name, blocks }) => [name, String(blocks)]);

interface Box {
  readonly from: number;
  readonly outer: number;
  readonly start: number;
  readonly inner: number;
}

/** Parts of so many blocks each; a run of more than 2048 values is cut within itself. */
function boxesOf({ outer, channels, inner }: Extent, blocks: number): Box[] {
  const walk = walkOf({ outer, channels, inner });
  const boxes: Box[] = [];
  const runs = { [Walk.planes]: Math.floor(2048 / inner), [Walk.rows]: 128, [Walk.fewColumns]: 2048 }[walk];
  const [rows, length] = runs === 0 ? [1, blocks * 2048] : [blocks * runs, inner];
  for (let from = 0; from < outer; from += rows) {
    for (let start = 0; start < inner; start += length) {
      boxes.push({ from, outer: Math.min(rows, outer - from), start, inner: Math.min(length, inner - start) });
    }
  }
  return boxes;
}

function cut(data: Data, { channels, inner }: Extent, box: Box): Data {
  const result = data.slice(0, box.outer * channels * box.inner);
  for (let o = 0, p = 0; o < box.outer; o++) {
    for (let c = 0; c < channels; c++, p += box.inner) {
      const at = ((box.from + o) * channels + c) * inner + box.start;
      result.set(data.subarray(at, at + box.inner), p);
    }
  }
  return result;
}

/** Calls `kernel` on one part after the other; each part's control block continues the last one's. */
function inParts(
  whole: Control,
  blocks: number,
  arrays: readonly Data[],
  kernel: (control: Control, parts: readonly Data[]) => void,
): Control {
  const boxes = boxesOf(whole.extent, blocks);
  let earlier = whole;
  boxes.forEach((box, number) => {
    const { outer, inner } = box;
    const control = new Control(whole.dtype, { outer, channels: whole.extent.channels, inner }, whole.walk);
    control.block.set(earlier.block.subarray(0, sequentialLength(control.extent, control.walk)));
    control.set("outer", outer);
    control.set("inner", inner);
    control.set("part", (number === 0 ? Part.first : 0) | (number === boxes.length - 1 ? Part.last : 0));
    kernel(
      control,
      arrays.map((data) => cut(data, whole.extent, box)),
    );
    earlier = control;
  });
  return earlier;
}

interface Sums {
  readonly control: Control;
  /** Moments with weights, of which the first six tenths are 0: whole groups have none. */
  readonly weighted: Control;
  readonly w: Data;
  readonly x: Data;
  readonly dy: Data;
}

/** The whole at once, by the oracle. */
function sumsOf(dtype: DType, kind: Kind, extent: Extent): Sums {
  const x = values(dtype, kind, extent, random(1));
  const dy = gradients(dtype, kind, extent, random(2));
  const control = new Control(dtype, extent);
  control.set("eps", 1e-5);
  oracle.moments(control, x);
  batchInvStd(control);
  affineCoefficients(control);
  oracle.gradSums(control, x, dy, null);
  const w = positionWeights(dtype, 2, extent, random(3));
  const weighted = new Control(dtype, extent);
  oracle.weightedMoments(weighted, x, w);
  return { control, x, dy, w, weighted };
}

function expectParts(kernels: Kernels, { control, x, dy }: Sums, blocks: number): void {
  const { fields, extent } = control;
  const fresh = new Control(control.dtype, extent);
  const moments = inParts(fresh, blocks, [x], (part, [tile]) => {
    kernels.moments(part, tile!);
  });
  const where = `${nameOf(extent)} ${control.dtype} in parts of ${blocks} blocks`;
  expect(moments.fields.mean, where).toEqual(fields.mean);
  expect(moments.fields.m2, where).toEqual(fields.m2);
  fresh.fields.center.set(fields.center);
  const sums = inParts(fresh, blocks, [x, dy], (part, [tile, gradient]) => {
    kernels.gradSums(part, tile!, gradient!, null);
  });
  expect(sums.fields.sumG, where).toEqual(fields.sumG);
  expect(sums.fields.sumGX, where).toEqual(fields.sumGX);
}

function expectWeightedParts(kernels: Kernels, { weighted, x, w }: Sums, blocks: number): void {
  const { fields, extent, dtype } = weighted;
  const positions = { ...extent, channels: 1 };
  let number = 0;
  const parts = boxesOf(extent, blocks).map((box) => cut(w, positions, box));
  const moments = inParts(new Control(dtype, extent), blocks, [x], (part, [tile]) => {
    kernels.weightedMoments(part, tile!, parts[number++]!);
  });
  const where = `${nameOf(extent)} ${dtype} with weights in parts of ${blocks} blocks`;
  expect(moments.fields.mean, where).toEqual(fields.mean);
  expect(moments.fields.m2, where).toEqual(fields.m2);
  expect(moments.get("count"), where).toBe(weighted.get("count"));
}

reportMissing();

describe("in parts", () => {
  test("every tensor has more than one group of blocks", () => {
    for (const extent of EXTENTS) expect(boxesOf(extent, 1).length, nameOf(extent)).toBeGreaterThan(32);
  });

  test("the last part of a long run is one value, in the walk of the whole", () => {
    const last = boxesOf(EXTENTS[1]!, 4).at(-1);
    expect(last).toEqual({ from: 4, outer: 1, start: 8 * 2048, inner: 1 });
  });

  for (const kind of ["wideRange", "outlierFirst", "extremeValues"] as const) {
    for (const dtype of ["float32", "float64"] as const) {
      describe(`${kind}, ${dtype}`, () => {
        let wholes: readonly Sums[] = [];
        test.each(available.map(({ name }) => name))("%s", (name) => {
          if (wholes.length === 0) wholes = EXTENTS.map((extent) => sumsOf(dtype, kind, extent));
          const { kernels } = available.find((backend) => backend.name === name)!;
          for (const whole of wholes) {
            const own = cuts.filter(({ name }) => name === nameOf(whole.control.extent));
            for (const { blocks } of own) {
              expectParts(kernels, whole, blocks);
              expectWeightedParts(kernels, whole, blocks);
            }
          }
        });
      });
    }
  }
});

const OPTIONS = {
  kind: "smooth",
  eps: 1e-5,
  relu: true,
  residual: true,
  slope: 0,
  storedOutput: false,
  inverse: false,
  dresidual: true,
  weight: true,
  bias: true,
  offset: 0,
  forwardInPlace: "no",
  backwardInPlace: "no",
  frozen: false,
} as const;

/** A case with all options that are operands, for each extent and type. */
function casesOf(what: string, extents: readonly Extent[]): readonly { readonly one: Case; readonly name: string }[] {
  const all = extents.flatMap((extent) =>
    (["float32", "float64"] as const).map((dtype) => ({
      one: { ...OPTIONS, index: cases.length, extent, walk: walkOf(extent), dtype },
      name: `${nameOf(extent)} ${dtype}`,
    })),
  );
  return sample(what, all, 3, ({ one }) => [String(one.walk), one.dtype]);
}

describe("rows and runs longer than a kernel takes at once", () => {
  const long: readonly Extent[] = [
    { outer: 131, channels: 2501, inner: 1 },
    { outer: 35, channels: 701, inner: 7 },
    { outer: 3, channels: 3, inner: 9001 },
  ];
  test.each(casesOf("long rows and runs", long))("$name", ({ one }) => {
    const reference = referenceOf(one);
    for (const { name, kernels } of available) expect(runCase(kernels, reference).faults, name).toEqual([]);
  });
});

describe("tensors larger than WASM's memory", () => {
  /** A channel that fits, one that does not, rows, small inner, few columns. */
  const large: readonly Extent[] = [
    { outer: 33, channels: 64, inner: 196 },
    { outer: 2, channels: 1, inner: 200_001 },
    { outer: 2050, channels: 257, inner: 1 },
    { outer: 4097, channels: 16, inner: 7 },
    { outer: 140_001, channels: 3, inner: 1 },
  ];
  test.each(casesOf("tensors larger than memory", large))("$name", ({ one }) => {
    expect(allocate(one.dtype, sizeOf(one.extent)).byteLength).toBeGreaterThan(20 * 65536);
    const reference = referenceOf(one);
    for (const { name, kernels } of available.filter((backend) => backend.name.startsWith("wasm of")))
      expect(runCase(kernels, reference).faults, name).toEqual([]);
  });
});
