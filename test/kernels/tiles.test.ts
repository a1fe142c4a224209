// Tensors larger than WASM's memory and rows longer than a kernel takes at once: tile by tile, the bits of the whole.
import { describe, expect, test } from "vitest";
import { blockCount, traversalOf, type Extent } from "../../src/kernels/control.js";
import { GROUP, Kind } from "../../src/kernels/layout.js";
import { allocate } from "../../src/base/types.js";
import { backendsUnderTest, reportMissing, smallWasm, arenaWasm } from "../support/backends.js";
import { cases, sizeOf, type Case } from "../../src/verify/cases.js";
import { runCase } from "../support/kernel-runner.js";
import { referenceOf } from "../../src/verify/case-reference.js";
import { nameOf } from "../support/textbook.js";

const small = smallWasm();
const available = [...backendsUnderTest, ...small, ...arenaWasm()].flatMap(({ name, kernels }) =>
  kernels ? [{ name, kernels }] : [],
);

reportMissing();

const OPTIONS = {
  kind: "smooth",
  eps: 1e-5,
  w: "padding",
  activation: true,
  residual: true,
  slope: 0,
  activationKind: Kind.rectifier,
  holdsY: false,
  fromOutput: false,
  dresidual: true,
  weight: true,
  bias: true,
  offset: 0,
  forwardInPlace: "no",
  backwardInPlace: "no",
  fixed: false,
} as const satisfies Partial<Case>;

/** A case with all options that are operands, for each extent and type; `w` leaves whole groups without weight. */
function casesOf(
  extents: readonly Extent[],
  kind: Case["kind"] = OPTIONS.kind,
): { readonly one: Case; readonly name: string }[] {
  return extents.flatMap((extent) =>
    (["float32", "float64"] as const).map((dtype) => ({
      one: { ...OPTIONS, kind, index: cases.length, extent, traversal: traversalOf(extent), dtype },
      name: `${nameOf(extent)} ${dtype}`,
    })),
  );
}

describe("tiles cut between the blocks of a channel", () => {
  /** Each of more than 32 blocks, so that a cut may fall within a group or between two; some end in a block of one value. */
  const extents: readonly Extent[] = [
    { outer: 103, channels: 2, inner: 513 },
    { outer: 5, channels: 2, inner: 8 * 2048 + 1 },
    { outer: 34 * 128 + 1, channels: 16, inner: 1 },
    { outer: 33 * 128 + 5, channels: 3, inner: 7 },
    { outer: 33 * 2048 + 1, channels: 2, inner: 1 },
    { outer: 32 * 2048 + 9, channels: 1, inner: 2 },
  ];

  test("every tensor has more than one group of blocks", () => {
    for (const extent of extents) expect(blockCount(extent, traversalOf(extent))).toBeGreaterThan(GROUP);
  });

  for (const kind of ["wideRange", "outlierFirst", "extremeValues"] as const) {
    test.skipIf(small.length === 0).each(casesOf(extents, kind))(`${kind}, $name`, ({ one }) => {
      const reference = referenceOf(one);
      for (const { name, kernels } of available.filter((backend) => backend.name.startsWith("wasm")))
        expect(runCase(kernels, reference).faults, name).toEqual([]);
    });
  }
});

describe("rows and runs longer than a kernel takes at once", () => {
  const long: readonly Extent[] = [
    { outer: 131, channels: 2501, inner: 1 },
    { outer: 35, channels: 701, inner: 7 },
    { outer: 3, channels: 3, inner: 9001 },
  ];
  test.each(casesOf(long))("$name", ({ one }) => {
    const reference = referenceOf(one);
    for (const { name, kernels } of available) expect(runCase(kernels, reference).faults, name).toEqual([]);
  });
});

describe("few columns whose last rows fill no row of slots", () => {
  /** Eight rows of slots are copied together, and with the last of them a part of one more: of 16 rows at most. */
  const edges = [1, 9, 10, 15].flatMap((rest): Extent[] => [
    { outer: 128 + rest, channels: 15, inner: 1 },
    { outer: 256 + rest, channels: 5, inner: 3 },
    { outer: 2048 + 128 + rest, channels: 1, inner: 15 },
  ]);
  for (const kind of ["extremeChannels", "extremeValues"] as const) {
    test.each(casesOf(edges, kind))(`${kind}, $name`, ({ one }) => {
      for (const w of ["padding", "wideRange"] as const) {
        const reference = referenceOf({ ...one, w });
        for (const { name, kernels } of available)
          expect(runCase(kernels, reference).faults, `${name}, ${w}`).toEqual([]);
      }
    });
  }
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
  test.each(casesOf(large))("$name", ({ one }) => {
    expect(allocate(one.dtype, sizeOf(one.extent)).byteLength).toBeGreaterThan(20 * 65536);
    const reference = referenceOf(one);
    for (const { name, kernels } of available.filter((backend) => backend.name.startsWith("wasm of")))
      expect(runCase(kernels, reference).faults, name).toEqual([]);
  });
});
