// The specification against the oracle, bit for bit, on all kernel cases: what a reader of docs/contract.md would write
// gives what the package computes. CI=1 compares all cases, which takes minutes.
import { describe, expect, test } from "vitest";
import { GROUP, Walk, blockCount } from "../../src/control.js";
import { inputsOf, referenceOf, type Inputs, type Reference } from "../../src/verify/case-reference.js";
import { cases, describeCase, halfCases, sizeOf, type Case } from "../../src/verify/cases.js";
import type { Data } from "../../src/types.js";
import {
  affineOf,
  backward,
  forward,
  fromOutput,
  normalize,
  widen,
  zeroMasked,
  type Affine,
  type DType,
  type Numbers,
  type Options,
} from "./specification.js";

/** Named results: "dx" and what the specification has for it. */
type Results = Record<string, Numbers>;

function numbersOf(dtype: DType, data: Data): Numbers {
  if (dtype !== "float16" && dtype !== "bfloat16") return data;
  return Float64Array.from(data, (bits) => widen(dtype, bits));
}

function optionsOf({ extent, dtype, eps, relu, slope }: Case, { weight, bias, residual }: Inputs): Options {
  return {
    extent,
    dtype,
    eps,
    gamma: weight,
    beta: bias,
    residual: residual && numbersOf(dtype, residual),
    slope: relu ? slope : null,
    w: null,
    maskedOutput: "normalize",
    given: null,
    isFixed: false,
  };
}

/** The names that control blocks have for what a forward leaves. */
function forwardFields(affine: readonly Affine[]): Results {
  const table = (value: (one: Affine) => number): number[] => affine.map(value);
  return {
    mean: table(({ mean }) => mean),
    m2: table(({ m2 }) => m2),
    invStd: table(({ r }) => r),
    center: table(({ center }) => center),
    scale: table(({ scale }) => scale),
    shift: table(({ shift }) => shift),
  };
}

/** All that a backward computes. The kernels of a case that has no x take the statistics of x for those of z. */
function backwardResults(one: Case, inputs: Inputs, y: Numbers, affine: Affine[], options: Options): Results {
  const x = one.inverse ? fromOutput(y, affine, options)[0] : numbersOf(one.dtype, inputs.x);
  const output = one.storedOutput ? y : null;
  const dy = numbersOf(one.dtype, inputs.dy);
  const { channels, dx, dresidual } = backward(x, output, dy, affine, options);
  return {
    sumG: channels.map(({ S }) => S),
    sumGX: channels.map(({ U }) => U),
    gradShift: channels.map(({ s }) => s),
    gradSlope: channels.map(({ t }) => t),
    gradScale: channels.map(({ a }) => a),
    dx,
    ...(one.dresidual && { dresidual }),
  };
}

/** With the batch's own statistics, then with those of the case, then with weights. */
function resultsOf(one: Case, inputs: Inputs): Record<"batch" | "own" | "weighted", Results> {
  const options = optionsOf(one, inputs);
  const x = numbersOf(one.dtype, inputs.x);
  const batch = forward(x, options);
  const { frozen } = inputs;
  const affine = !frozen
    ? batch.affine
    : batch.affine.map(({ count, m2 }, c) => {
        const r = frozen.invStd[c]!;
        const p = (inputs.weight?.[c] ?? 1) * r;
        return affineOf(one.dtype, { count, mean: frozen.mean[c]!, m2 }, r, p, inputs.bias?.[c] ?? 0);
      });
  const own = { ...options, isFixed: one.frozen };
  const y = frozen ? normalize(x, affine, own) : batch.y;
  const weighted = { ...options, w: inputs.w };
  const { affine: weightedAffine, y: weightedY } = forward(x, weighted);
  return {
    batch: { ...forwardFields(batch.affine), y: batch.y },
    own: { y, ...backwardResults(one, inputs, y, affine, own) },
    weighted: {
      count: [weightedAffine[0]!.count],
      ...forwardFields(weightedAffine),
      y: weightedY,
      ...backwardResults(one, inputs, weightedY, weightedAffine, weighted),
      zeroed: zeroMasked(one.extent, x, inputs.w),
    },
  };
}

/** Where two arrays differ first: NaN equals NaN, zeros have signs. */
function firstDifference(expected: Numbers, got: Numbers): number {
  for (let i = 0; i < expected.length; i++) if (!Object.is(expected[i], got[i])) return i;
  return -1;
}

function faultsOf(one: Case): string[] {
  const inputs = inputsOf(one);
  const reference: Reference = referenceOf(one, undefined, inputs);
  return Object.entries(resultsOf(one, inputs)).flatMap(([which, results]) => {
    const { fields, arrays } = reference[which as "batch" | "own" | "weighted"];
    const oracle: Record<string, Data | null> = {
      ...arrays,
      ...fields,
      count: Float64Array.of(reference.weighted.count),
    };
    return Object.entries(results).flatMap(([name, got]) => {
      const isArray = name in arrays;
      const expected = isArray ? numbersOf(one.dtype, oracle[name]!) : oracle[name]!;
      const at = firstDifference(expected, got);
      return at < 0
        ? []
        : [`${which} ${name}[${at}]: oracle ${expected[at]}, specification ${got[at]}; ${describeCase(one)}`];
    });
  });
}

/** Larger cases take minutes: without CI only the smallest that has more than one group, of each traversal and type. */
const SMALL = 2 ** 14;
const isWhole = process.env.CI !== undefined;

function chosenOf(walk: Walk, dtype: DType): Case[] {
  const all = [...cases, ...halfCases].filter((one) => one.walk === walk && one.dtype === dtype);
  const bySize = all.sort((a, b) => sizeOf(a.extent) - sizeOf(b.extent));
  const grouped = bySize.find(({ extent }) => blockCount(extent, walk) > GROUP);
  return bySize.filter((one) => isWhole || sizeOf(one.extent) <= SMALL || one === grouped);
}

const TRAVERSALS = Object.keys(Walk) as (keyof typeof Walk)[];

describe.each(TRAVERSALS)("%s", (traversal) => {
  test.each(["float32", "float64", "float16", "bfloat16"] as const)("%s", (dtype) => {
    const chosen = chosenOf(Walk[traversal], dtype);
    expect(chosen.length).toBeGreaterThan(20);
    expect(chosen.flatMap(faultsOf).slice(0, 20)).toEqual([]);
  });
});
