// A backend's digest: one hash for each walk, type and kernel over all that it computes on a list of cases.
// Equal digests are equal bits, so that machines on which the oracle would take too long need not run it.
import { Walk } from "../kernels/control.js";
import { contractVersion, type Kernels } from "../kernels/kernels.js";
import { widen } from "../base/storage.js";
import type { Data, DType, Floats } from "../base/types.js";
import type { Case } from "./cases.js";
import { inputsOf, referenceOf, type Reference } from "./case-reference.js";
import { Hash64 } from "./hash.js";

/** What is hashed of a case. The O(C) coefficients stand with the kernel that reads them. */
const PARTS: Readonly<Record<string, (reference: Reference) => readonly (Data | null)[]>> = {
  inputs: ({ own: { arrays, fields } }) => [arrays.x, arrays.dy, arrays.residual, fields.weight, fields.bias],
  moments: ({ batch: { fields } }) => [fields.mean, fields.m2],
  normalize: ({ batch, own }) =>
    [batch, own].flatMap(({ fields, arrays }) => [
      fields.mean,
      fields.invStd,
      fields.center,
      fields.scale,
      fields.shift,
      arrays.y,
    ]),
  gradSums: ({ own: { fields } }) => [fields.sumG, fields.sumGX],
  gradInput: ({ own: { fields, arrays } }) => [
    fields.gradShift,
    fields.gradSlope,
    fields.gradScale,
    arrays.dx,
    arrays.dresidual,
  ],
  weights: ({ own: { arrays } }) => [arrays.w],
  weightedMoments: ({ weighted: { fields, count } }) => [fields.mean, fields.m2, Float64Array.of(count)],
  weightedGradInput: ({ weighted: { arrays } }) => [arrays.y, arrays.dx, arrays.dresidual],
  zeroMasked: ({ own: { arrays } }) => [arrays.zeroed],
};

/** 16-bit elements as the numbers they are. */
function numbersOf(data: Data, dtype: DType): Floats {
  return data instanceof Uint16Array ? widen(dtype, data) : data;
}

/** A NaN's payload is not part of the contract: all become one. As bits, since assigning NaN may store any payload. */
function wordsOf(data: Floats): Uint32Array {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  if (!data.includes(NaN)) return words;
  const canonical = words.slice();
  const size = data.BYTES_PER_ELEMENT / 4;
  data.forEach((value, i) => {
    if (Number.isNaN(value)) canonical.fill(0xffffffff, i * size, (i + 1) * size);
  });
  return canonical;
}

/** "planes float32 moments" and so on: its hash. */
export type Hashes = Readonly<Record<string, string>>;

/** Accumulates the results of a backend, case by case. */
export class Digest {
  private readonly hashes = new Map<string, Hash64>();

  add(reference: Reference): void {
    const { walk, dtype } = reference.test;
    const walkName = Object.keys(Walk).find((name) => Walk[name as keyof typeof Walk] === walk);
    for (const [part, resultsOf] of Object.entries(PARTS)) {
      const group = `${walkName} ${dtype} ${part}`;
      let hash = this.hashes.get(group);
      if (!hash) this.hashes.set(group, (hash = new Hash64()));
      for (const data of resultsOf(reference)) if (data) hash.update(wordsOf(numbersOf(data, dtype)));
    }
  }

  result(): Hashes {
    return Object.fromEntries([...this.hashes].map(([group, hash]) => [group, hash.digest()]));
  }
}

/**
 * Digests of some backends over a list of cases, in one go: making the data takes longer than the kernels. `visit` sees
 * each backend's results of each case.
 */
export function digestsOf(
  backends: readonly Kernels[],
  cases: readonly Case[],
  visit?: (kernels: Kernels, reference: Reference) => void,
): Hashes[] {
  const digests = backends.map((kernels) => ({ kernels, digest: new Digest() }));
  for (const one of cases) {
    const inputs = inputsOf(one);
    for (const { kernels, digest } of digests) {
      const reference = referenceOf(one, kernels, inputs);
      digest.add(reference);
      visit?.(kernels, reference);
    }
  }
  return digests.map(({ digest }) => digest.result());
}

/** The committed digest, expected.ts. */
export interface DigestFile {
  readonly contractVersion: number;
  readonly cases: number;
  readonly hashes: Hashes;
}

export function digestFile(kernels: Kernels, cases: readonly Case[]): DigestFile {
  const [hashes] = digestsOf([kernels], cases);
  return { contractVersion, cases: cases.length, hashes: hashes! };
}

/** "group expected …, got …" for each that differs. Inputs first: where they differ, all the others do. */
export function differences(expected: Hashes, got: Hashes): string[] {
  const groups = [...new Set([...Object.keys(expected), ...Object.keys(got)])];
  const different = groups.filter((group) => expected[group] !== got[group]);
  const isInput = (group: string): number => Number(group.endsWith(" inputs"));
  different.sort((a, b) => isInput(b) - isInput(a));
  return different.map((group) => `${group} expected ${expected[group] ?? "none"}, got ${got[group] ?? "none"}`);
}
