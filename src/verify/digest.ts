// A backend's digest: one hash for each traversal, type and kernel over all that it computes on a list of cases.
// Equal digests are equal bits, so that machines on which the oracle would take too long need not run it.
import { Traversal, type Field } from "../kernels/layout.js";
import type { KernelName } from "../kernels/operands.js";
import { contractVersion, type Kernels } from "../kernels/kernels.js";
import { widen } from "../base/storage.js";
import type { Data, DType, Floats } from "../base/types.js";
import type { Case } from "./cases.js";
import { fieldsOf, outputsOf } from "./call.js";
import { inputsOf, nameOf, referenceOf, type Call, type Reference } from "./case-reference.js";
import { Hash64 } from "./hash.js";

/** The fields that are hashed with a kernel, whichever of them it makes itself: statistics, coefficients and sums. */
const HASHED: Partial<Record<KernelName, readonly [first: Field, last: Field]>> = {
  moments: ["mean", "m2"],
  normalize: ["center", "shift"],
  gradSums: ["center", "sumGX"],
  gradInput: ["center", "gradScale"],
};

/** What is hashed of an unfused call: fields, its outputs, and Σw. */
function resultsOf({ kernel, operands, fields, counts }: Call): (Data | null | undefined)[] {
  return [
    ...fieldsOf(HASHED[kernel] ?? null).map((name) => fields[name]),
    ...outputsOf(kernel).map((name) => operands[name]),
    operands.w && Float64Array.of(counts[1]),
  ];
}

/** What is hashed of a case, by the names of its parts. The O(C) coefficients stand with the kernel that applies them. */
function partsOf({ inputs, calls }: Reference): (readonly [part: string, (Data | null | undefined)[]])[] {
  const { x, dy, residual, weight, bias, w } = inputs;
  const unfused = calls.filter(({ isFused }) => !isFused);
  return [
    ["inputs", [x, dy, residual, weight, bias, w]],
    ...unfused.map((call) => [nameOf(call), resultsOf(call)] as const),
  ];
}

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
    const { traversal, dtype } = reference.test;
    const traversals = Object.entries(Traversal);
    const [traversalName] = traversals.find(([, value]) => value === traversal)!;
    for (const [part, results] of partsOf(reference)) {
      const group = `${traversalName} ${dtype} ${part}`;
      let hash = this.hashes.get(group);
      if (!hash) this.hashes.set(group, (hash = new Hash64()));
      for (const data of results) if (data) hash.update(wordsOf(numbersOf(data, dtype)));
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
