// Every kernel of every backend on every case, against the oracle bit for bit.
import { afterAll, describe, expect, test } from "vitest";
import { Traversal } from "../../src/kernels/layout.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import type { KernelName } from "../../src/kernels/operands.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { backendsUnderTest, reportMissing, sharingNative, smallWasm, arenaWasm } from "../support/backends.js";
import { MAX_ELEMENTS, cases, pairs, pairsOf, sizeOf, type Case } from "../../src/verify/cases.js";
import { KINDS } from "../../src/verify/data.js";
import { runCase } from "../support/kernel-runner.js";
import { referenceOf, type Call, type Reference } from "../../src/verify/case-reference.js";
import { WEIGHT_KINDS } from "../../src/verify/position-weights.js";
import { sampleCases } from "../support/sampled-cases.js";

/** As many cases as hold this many elements: what the oracle's results may take of memory at a time. */
const CHUNK = 2 ** 20;
const TRAVERSALS = Object.keys(Traversal) as (keyof typeof Traversal)[];
function chunksOf(list: readonly Case[]): Case[][] {
  const chunks: Case[][] = [];
  let size = CHUNK;
  for (const one of list) {
    if (size >= CHUNK) {
      chunks.push([]);
      size = 0;
    }
    chunks.at(-1).push(one);
    size += sizeOf(one.extent);
  }
  return chunks;
}

const compared = sampleCases("cases of every kernel and backend", cases, 120);
const inTraversal = (traversal: keyof typeof Traversal): Case[] =>
  cases.filter((one) => one.traversal === Traversal[traversal]);

const callOf = ({ calls }: Reference, kernel: KernelName): Call => calls.find((call) => call.kernel === kernel)!;

describe("cases", () => {
  test("every pair of boundary values is met that 2^20 elements can hold", () => {
    const met = new Set(cases.flatMap(({ extent }) => pairsOf(extent)));
    const impossible = [...pairs()].filter(([, extents]) => sizeOf(extents[0]!) > MAX_ELEMENTS).map(([pair]) => pair);
    expect([...pairs().keys()].filter((pair) => !met.has(pair))).toEqual(impossible);
    const wide = ["512", "513", "2047", "2048", "2049", "3136"];
    expect(new Set(impossible)).toEqual(
      new Set([
        ...wide.map((inner) => `inner ${inner}, outer 2050`),
        ...["511", ...wide].map((inner) => `inner ${inner}, outer 4097`),
        "channels 257, outer 4097",
      ]),
    );
  });

  test("at least 600, of at most 2^20 elements", () => {
    expect(cases.length).toBeGreaterThanOrEqual(600);
    expect(Math.max(...cases.map(({ extent }) => sizeOf(extent)))).toBeLessThanOrEqual(MAX_ELEMENTS);
  });

  test.each(TRAVERSALS)("%s: every kind of data in both types, every option", (traversal) => {
    const list = inTraversal(traversal);
    const seen = (value: (one: Case) => unknown): Set<unknown> => new Set(list.map(value));
    expect(seen((one) => `${one.kind} ${one.dtype}`).size).toBe(2 * KINDS.length);
    for (const option of [
      "fixed",
      "weight",
      "bias",
      "activation",
      "residual",
      "holdsY",
      "fromOutput",
      "dresidual",
    ] as const) {
      expect(seen((one) => one[option]).size, option).toBe(2);
    }
    const masks = seen((one) => one.activation && `${one.fixed} ${one.residual} ${one.holdsY} ${one.slope > 0}`);
    expect(masks.size).toBe(17);
    const signed = list.filter((one) => one.kind === "negativeZero" && one.activation && !one.fixed);
    const zeros = signed.map((one) =>
      callOf(referenceOf(one), "normalize").operands.y!.some((value) => Object.is(value, -0)),
    );
    expect(zeros, "-0 passes ReLU").toContain(true);
    expect(seen((one) => one.w).size).toBe(WEIGHT_KINDS.length);
    const degenerate = seen((one) =>
      one.fixed ? "" : `${one.dtype} ${one.kind} ${one.eps === 0} ${one.w === "zero"}`,
    );
    for (const dtype of ["float32", "float64"])
      for (const what of ["constant true false", "constant true true", "gaussian false true"])
        expect(degenerate).toContain(`${dtype} ${what}`);
    expect(seen((one) => one.offset).size).toBe(6);
    expect(seen((one) => one.forwardInPlace).size * seen((one) => one.backwardInPlace).size).toBe(9);
  });
});

describe("the comparison", () => {
  const one = cases.find(
    ({ kind, extent, backwardInPlace }) => kind === "gaussian" && sizeOf(extent) > 100 && backwardInPlace === "no",
  )!;
  const breaking = (spoil: Partial<Kernels>): readonly string[] =>
    runCase({ ...oracle, ...spoil }, referenceOf(one)).faults;

  test("names the kernel, the element and the case of one wrong bit", () => {
    const faults = breaking({
      normalize(control, x, y, residual) {
        oracle.normalize(control, x, y, residual);
        new Uint8Array(y.buffer, y.byteOffset)[0]! ^= 1;
      },
    });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^normalize: y\\[0\\] expected \\S+, got \\S+ — case ${one.index} \\(`));
  });

  test("finds a write behind the end, a changed input and an output left out", () => {
    expect(
      breaking({
        gradInput(control, x, dy, dx, residualOrY, dresidual, w) {
          oracle.gradInput(control, x, dy, dx, residualOrY, dresidual, w);
          new Uint8Array(dx.buffer)[dx.byteOffset + dx.byteLength] = 0;
        },
      })[0],
    ).toMatch(/^gradInput: wrote beyond dx/);
    expect(
      breaking({
        moments(control, x, w) {
          oracle.moments(control, x, w);
          x[0] = 7;
        },
      })[0],
    ).toMatch(/^moments: input x\[0\]/);
    expect(breaking({ gradSums: () => undefined })[0]).toMatch(/^gradSums: center\[0\]/);
  });
});

const available = [...backendsUnderTest, ...sharingNative(), ...smallWasm(), ...arenaWasm()].flatMap(
  ({ name, kernels }) => (kernels ? [{ name, kernels }] : []),
);
const tallies = new Map(available.map(({ name }) => [name, { cases: 0, elements: 0 }]));

reportMissing();

// Chunk by chunk, all backends on each: the oracle's results are computed once and need not all be kept.
for (const traversal of TRAVERSALS) {
  for (const chunk of chunksOf(inTraversal(traversal).filter((one) => compared.includes(one)))) {
    describe(`${traversal}, cases ${chunk[0]!.index} to ${chunk.at(-1).index}`, () => {
      let references: readonly Reference[] = [];
      afterAll(() => {
        references = [];
      });

      for (const { name, kernels } of available) {
        test(name, () => {
          if (references.length === 0) references = chunk.map((one) => referenceOf(one));
          const outcomes = references.map((reference) => runCase(kernels, reference));
          expect(outcomes.flatMap(({ faults }) => faults).slice(0, 10)).toEqual([]);
          const tally = tallies.get(name)!;
          tally.cases += outcomes.length;
          tally.elements += outcomes.reduce((sum, { elements }) => sum + elements, 0);
        });
      }
    });
  }
}

describe("the count", () => {
  // y and dx twice each, unfused and fused, and dresidual likewise; then with weights, where zeroMasked takes the place of
  // normalize.
  const elements = compared.reduce((sum, { extent, dresidual }) => sum + sizeOf(extent) * (dresidual ? 12 : 8), 0);

  for (const { name } of available) {
    test(`${name}: ${compared.length} of ${cases.length} cases, ${elements} elements compared`, () => {
      expect(tallies.get(name)).toEqual({ cases: compared.length, elements });
    });
  }
});
