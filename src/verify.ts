// `batchnorm/verify`: whether the backends compute here the bits they compute everywhere.
import { backends } from "./backends/backend.js";
import { candidates, outcomeOf, supports, type BackendName, type Candidate } from "./backends/candidates.js";
import { checkOneOf, describe, readOptions } from "./base/check.js";
import { BackendUnavailableError, typeError } from "./base/errors.js";
import type { Kernels } from "./kernels/kernels.js";
import { cases, halfCases, type Case } from "./verify/cases.js";
import { differences, digestsOf, type Hashes } from "./verify/digest.js";
import { expected } from "./verify/expected.js";
import { FUSED, fusedFaults } from "./verify/fused.js";

export type { BackendName } from "./backends/candidates.js";
export type { InstructionSet } from "./backends/native/instruction-sets.js";

export interface VerifyOptions {
  /** Default: every backend that can be used here, but for the oracle. */
  backends?: readonly BackendName[];
  /** Told after each case. */
  onProgress?: (done: number, total: number) => void;
}

/** What became of one backend. */
export interface Verification {
  readonly backend: BackendName;
  /** Hashes of results that are the expected ones, and comparisons of fused kernels with unfused ones. */
  readonly passed: number;
  readonly failed: number;
  /** One line for each that failed. */
  readonly differences: string[];
}

interface Subject {
  readonly candidate: Candidate;
  readonly kernels: Kernels;
  passed: number;
  readonly differences: string[];
}

function subjectOf(name: BackendName): Subject {
  const candidate = candidates.find((one) => one.name === name)!;
  const { loaded } = outcomeOf(candidate);
  if ("reason" in loaded) throw new BackendUnavailableError(name, loaded.reason);
  return { candidate, kernels: loaded.kernels, passed: 0, differences: [] };
}

function namesOf(value: unknown): readonly BackendName[] {
  if (value === undefined) {
    const usable = backends().filter(({ status }) => status === "in use" || status === "available");
    return usable.map(({ name }) => name).filter((name) => name !== "oracle");
  }
  if (!Array.isArray(value)) {
    throw typeError("ERR_BATCHNORM_TYPE", `"backends" expected an array of names, got ${describe(value)}`);
  }
  const known = candidates.map(({ name }) => name);
  return value.map((name) => checkOneOf("backends", name, known));
}

/** The expected hashes of cases of these types. */
function expectedOf(list: readonly Case[]): Hashes {
  const types = new Set<string | undefined>(list.map(({ dtype }) => dtype));
  return Object.fromEntries(Object.entries(expected.hashes).filter(([group]) => types.has(group.split(" ")[1])));
}

function verifyOn(subjects: readonly Subject[], list: readonly Case[], onCase: () => void): void {
  const byKernels = new Map(subjects.map((subject) => [subject.kernels, subject]));
  const last = subjects.at(-1);
  const digests = digestsOf([...byKernels.keys()], list, (kernels, reference) => {
    const subject = byKernels.get(kernels)!;
    const faults = fusedFaults(kernels, reference);
    subject.passed += FUSED.length - faults.length;
    subject.differences.push(...faults);
    if (subject === last) onCase();
  });
  const hashes = expectedOf(list);
  for (const [i, subject] of subjects.entries()) {
    const found = differences(hashes, digests[i]!);
    subject.passed += Object.keys(hashes).length - found.length;
    subject.differences.push(...found);
  }
}

/**
 * Compares what backends compute on 918 cases with the committed hashes, and their fused kernels with the unfused ones,
 * bit for bit. It computes for some ten seconds a backend, and up to 100 MB, without a pause.
 * @throws BackendUnavailableError where a named one cannot be loaded; one that was rejected can be verified.
 */
export function verify(options: VerifyOptions = {}): Verification[] {
  const read = readOptions(options, ["backends", "onProgress"]);
  const { onProgress } = read;
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw typeError("ERR_BATCHNORM_TYPE", `"onProgress" expected a function, got ${describe(onProgress)}`);
  }
  const subjects = [...new Set(namesOf(read.backends))].map(subjectOf);
  const of16Bits = subjects.filter(({ candidate }) => supports(candidate, "float16"));
  const total = cases.length + (of16Bits.length > 0 ? halfCases.length : 0);
  let done = 0;
  const onCase = (): void => {
    done++;
    if (onProgress) (onProgress as NonNullable<VerifyOptions["onProgress"]>)(done, total);
  };
  if (subjects.length > 0) verifyOn(subjects, cases, onCase);
  if (of16Bits.length > 0) verifyOn(of16Bits, halfCases, onCase);
  return subjects.map(({ candidate, passed, differences }) => ({
    backend: candidate.name,
    passed,
    failed: differences.length,
    differences,
  }));
}
