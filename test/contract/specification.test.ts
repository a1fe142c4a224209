// The specification against the oracle, bit for bit, on all kernel cases: what a reader of docs/contract.md would write
// gives what the package computes. CI=1 compares all cases, which takes minutes.
import { describe, expect, test } from "vitest";
import type { Data } from "../../src/base/types.js";
import { blockCount } from "../../src/kernels/control.js";
import { GROUP, Kind, Traversal } from "../../src/kernels/layout.js";
import { KERNELS, type KernelName } from "../../src/kernels/operands.js";
import { fieldsOf, outputsOf } from "../../src/verify/call.js";
import {
  CLAMP,
  inputsOf,
  nameOf,
  referenceOf,
  slopesOf,
  type Call,
  type Inputs,
} from "../../src/verify/case-reference.js";
import { cases, curveCases, describeCase, halfCases, sizeOf, type Case } from "../../src/verify/cases.js";
import {
  affineOf,
  backward,
  forward,
  fromOutput,
  normalize,
  widen,
  zeroMasked,
  type Affine,
  type Curve,
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

const CURVES: readonly (Curve["name"] | null)[] = [
  null,
  "clamp",
  "hard-sigmoid",
  "hard-swish",
  "squared-relu",
  "prelu",
];

function optionsOf(one: Case, { weight, bias, residual }: Inputs): Options {
  const { extent, dtype, eps, activation, slope } = one;
  const name = CURVES[one.activationKind];
  return {
    curve: activation && name ? { name, ...CLAMP, slopes: slopesOf(one) } : null,
    extent,
    dtype,
    eps,
    gamma: weight,
    beta: bias,
    residual: residual && numbersOf(dtype, residual),
    slope: activation ? slope : null,
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
  const x = one.fromOutput ? fromOutput(y, affine, options)[0] : numbersOf(one.dtype, inputs.x);
  const output = one.holdsY ? y : null;
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

/** What the calls of a case leave: with the batch's own statistics, then forward and backward with those of the case. */
function resultsOf(one: Case, inputs: Inputs, w: Numbers | null): Record<"batch" | "normalized" | "own", Results> {
  const options = { ...optionsOf(one, inputs), w };
  const x = numbersOf(one.dtype, inputs.x);
  const batch = forward(x, options);
  const { fixed } = inputs;
  const affine = !fixed
    ? batch.affine
    : batch.affine.map(({ count, m2 }, c) => {
        const r = fixed.invStd[c]!;
        const p = (inputs.weight?.[c] ?? 1) * r;
        return affineOf(one.dtype, { count, mean: fixed.mean[c]!, m2 }, r, p, inputs.bias?.[c] ?? 0);
      });
  const own = { ...options, isFixed: one.fixed };
  const y = fixed ? normalize(x, affine, own) : batch.y;
  const count = [batch.affine[0]!.count];
  const fields = forwardFields(affine);
  // Fixed statistics come to the kernel as γ·r and a variance of 1.
  const normalized = fixed
    ? { ...fields, count: [1], invStd: new Float64Array(affine.length).fill(1) }
    : { ...fields, count };
  return {
    batch: { count, ...forwardFields(batch.affine), y: batch.y },
    normalized: { ...normalized, y },
    own: { count, ...fields, ...backwardResults(one, inputs, y, affine, own) },
  };
}

/** What a call must leave, by name: its outputs, the fields that it writes, and the count. */
function expectedOf({ dtype }: Case, { kernel, operands, fields, counts }: Call): [string, Numbers][] {
  const outputs = outputsOf(kernel).flatMap((name): [string, Numbers][] => {
    const data = operands[name];
    return data ? [[name, numbersOf(dtype, data)]] : [];
  });
  const written = fieldsOf(KERNELS[kernel].writes).map((name): [string, Numbers] => [name, fields[name]]);
  return [...outputs, ...written, ["count", [counts[1]]]];
}

/** Where two arrays differ first: NaN equals NaN, zeros have signs. */
function firstDifference(expected: Numbers, got: Numbers): number {
  for (let i = 0; i < expected.length; i++) if (!Object.is(expected[i], got[i])) return i;
  return -1;
}

function faultsOf(one: Case): string[] {
  const inputs = inputsOf(one);
  const [plain, weighted] = [resultsOf(one, inputs, null), resultsOf(one, inputs, inputs.w)];
  const partOf = (kernel: KernelName): "batch" | "normalized" | "own" =>
    kernel === "normalize" ? "normalized" : kernel === "moments" || kernel === "forward" ? "batch" : "own";
  const zeroed = { y: zeroMasked(one.extent, numbersOf(one.dtype, inputs.x), inputs.w), count: plain.own["count"]! };
  return referenceOf(one, undefined, inputs).calls.flatMap((call) => {
    const { kernel, operands } = call;
    const results: Results = kernel === "zeroMasked" ? zeroed : (operands.w ? weighted : plain)[partOf(kernel)];
    return expectedOf(one, call).flatMap(([name, expected]) => {
      const got = results[name]!;
      const at = firstDifference(expected, got);
      const where = `${nameOf(call)}: ${name}[${at}]`;
      return at < 0 ? [] : [`${where}: oracle ${expected[at]}, specification ${got[at]}; ${describeCase(one)}`];
    });
  });
}

/** Larger cases take minutes: without CI only the smallest that has more than one group, of each traversal and type. */
const SMALL = 2 ** 14;
const isWhole = process.env.CI !== undefined;

function chosenOf(traversal: Traversal, dtype: DType): Case[] {
  const all = [...cases, ...halfCases].filter((one) => one.traversal === traversal && one.dtype === dtype);
  const bySize = all.sort((a, b) => sizeOf(a.extent) - sizeOf(b.extent));
  const grouped = bySize.find(({ extent }) => blockCount(extent, traversal) > GROUP);
  return bySize.filter((one) => isWhole || sizeOf(one.extent) <= SMALL || one === grouped);
}

const TRAVERSALS = Object.keys(Traversal) as (keyof typeof Traversal)[];

describe.each(TRAVERSALS)("%s", (traversal) => {
  test.each(["float32", "float64", "float16", "bfloat16"] as const)("%s", (dtype) => {
    const chosen = chosenOf(Traversal[traversal], dtype);
    expect(chosen.length).toBeGreaterThan(20);
    expect(chosen.flatMap(faultsOf).slice(0, 20)).toEqual([]);
  });
});

/** The gradient of slopes is no activation of the specification, but a sum that calls.test.ts compares. */
test("activations that are no rectifiers", () => {
  const chosen = curveCases.filter(
    (one) => one.activationKind !== Kind.slopeGradient && (isWhole || sizeOf(one.extent) <= 2 ** 11),
  );
  expect(new Set(chosen.map((one) => `${one.activationKind} ${one.traversal}`)).size).toBe(15);
  expect(chosen.flatMap(faultsOf).slice(0, 20)).toEqual([]);
});
