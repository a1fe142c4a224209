// The check every backend passes before it is used: each kernel on small cases that reach all walks,
// their tails, the second pass and the escape, compared with the oracle bit for bit.
import { affineCoefficients, batchInvStd, gradCoefficients } from "./coefficients.js";
import { Control, Flag, Part, type FIELDS } from "./control.js";
import type { Kernels } from "./kernels.js";
import { oracle } from "./oracle.js";
import { allocate, type Data, type DType } from "./types.js";

interface Case {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
  readonly flags: number;
  readonly residual: boolean;
}

// Planes with a tail, whole vectors and a tail of columns, small inner as columns, few columns.
const CASES: readonly Case[] = [
  { outer: 2, channels: 3, inner: 37, flags: Flag.relu, residual: true },
  { outer: 17, channels: 19, inner: 1, flags: Flag.relu, residual: false },
  { outer: 3, channels: 9, inner: 2, flags: Flag.relu | Flag.auxIsOutput, residual: true },
  { outer: 37, channels: 3, inner: 1, flags: Flag.frozen, residual: false },
];

/** Values whose first makes a poor shift (second pass); the last channel's squares underflow (escape). */
function sample(dtype: DType, { outer, channels, inner }: Case, seed: number): Data {
  const data = allocate(dtype, outer * channels * inner);
  for (let p = 0, state = seed; p < data.length; p++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const channel = Math.floor(p / inner) % channels;
    const tiny = channels > 1 && channel === channels - 1 ? 1e-22 : 1;
    data[p] = (state / 2 ** 31 + (p < channels * inner ? 30 : 0)) * tiny;
  }
  return data;
}

interface Run {
  /** Named results in the order they are made. */
  readonly results: readonly (readonly [name: string, values: Data])[];
}

/** Runs every kernel on one case and keeps a copy of all they write. */
function run(kernels: Kernels, dtype: DType, test: Case): Run {
  const results: [string, Data][] = [];
  const control = new Control(dtype, test);
  const { fields } = control;
  const size = test.outer * test.channels * test.inner;
  const x = sample(dtype, test, 1);
  const dy = sample(dtype, test, 2);
  const residual = test.residual ? sample(dtype, test, 3) : null;
  const keep = (kernel: string, names: readonly (typeof FIELDS)[number][], arrays: Record<string, Data>): void => {
    for (const name of names) results.push([`${kernel}: ${name}`, fields[name].slice()]);
    for (const [name, values] of Object.entries(arrays)) results.push([`${kernel}: ${name}`, values.slice()]);
  };
  control.set("eps", 1e-5);
  fields.weight.forEach((_, c) => {
    fields.weight[c] = 1 + c / 4;
    fields.bias[c] = c / 8 - 1;
  });

  // Twice the same data in two parts: the second call merges blocks into the state of the first.
  control.set("part", Part.first);
  kernels.moments(control, x);
  control.set("part", Part.last);
  kernels.moments(control, dy);
  keep("moments", ["mean", "m2"], {});
  control.set("part", Part.whole);
  kernels.moments(control, x);
  keep("moments", ["mean", "m2"], {});
  batchInvStd(control);
  affineCoefficients(control);
  control.set("flags", test.flags);
  const y = allocate(dtype, size);
  kernels.normalize(control, x, y, residual);
  keep("normalize", [], { y });
  kernels.forward(control, x, y, residual);
  keep("forward", ["mean", "m2", "invStd", "center", "scale", "shift"], { y });

  const aux = (test.flags & Flag.auxIsOutput) !== 0 ? y : residual;
  const dx = allocate(dtype, size);
  const dresidual = residual && allocate(dtype, size);
  kernels.gradSums(control, x, dy, aux);
  keep("gradSums", ["sumG", "sumGX"], {});
  gradCoefficients(control);
  kernels.gradInput(control, x, dy, dx, aux, dresidual);
  keep("gradInput", [], dresidual ? { dx, dresidual } : { dx });
  kernels.backward(control, x, dy, dx, aux, dresidual);
  keep("backward", ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"], dresidual ? { dx, dresidual } : { dx });
  return { results };
}

/** Same bits; NaN equals NaN whatever its payload. */
function difference(expected: Run, got: Run): string | null {
  for (const [i, [name, values]] of expected.results.entries()) {
    const other = got.results[i]![1];
    for (let j = 0; j < values.length; j++) {
      if (!Object.is(values[j], other[j])) return `${name}[${j}] expected ${values[j]}, got ${other[j]}`;
    }
  }
  return null;
}

const expectations = new Map<string, Run>();

/** The first difference from the oracle as `kernel: name[element] expected …, got … (case)`, or null. */
export function selfCheck(kernels: Kernels): string | null {
  for (const dtype of ["float32", "float64"] as const) {
    for (const [i, test] of CASES.entries()) {
      const key = `${dtype} ${i}`;
      const expected = expectations.get(key) ?? run(oracle, dtype, test);
      expectations.set(key, expected);
      const found = difference(expected, run(kernels, dtype, test));
      if (found) return `${found} (${dtype}, ${test.outer}×${test.channels}×${test.inner})`;
    }
  }
  return null;
}
