// Checks that the backends compute the expected bits on this machine.
import { backends } from "../backends/backend.js";
import { candidates, outcomeOf, supports, type BackendName, type Candidate } from "../backends/candidates.js";
import { checkOneOf, describe } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { BackendUnavailableError, typeError } from "../base/errors.js";
import type { Kernels } from "../kernels/kernels.js";
import { cases, halfCases, type Case } from "./cases.js";
import { differences, digestsOf, type Hashes } from "./digest.js";
import { expected } from "./expected.js";
import { checkFused } from "./fused.js";

/** The options of `verify`. */
export interface VerifyOptions {
  /** The backends to verify. By default these are all that can be used here, without the oracle. */
  backends?: readonly BackendName[] | undefined;
  /**
   * A function that is called after each case.
   *
   * @param done The number of cases that are done.
   * @param total The number of all cases.
   */
  onProgress?: (done: number, total: number) => void | undefined;
}

/** The result of verifying one backend. */
export interface Verification {
  /** The name of the backend. */
  readonly backend: BackendName;
  /** The number of checks that passed. A check compares a hash of results, or a fused kernel with the unfused ones. */
  readonly passed: number;
  /** The number of checks that failed. */
  readonly failed: number;
  /** One line for each check that failed. */
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
  if (loaded.reason !== null) throw new BackendUnavailableError(name, loaded.reason);
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
    const { count, faults } = checkFused(kernels, reference);
    subject.passed += count - faults.length;
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
 * Compares the results of backends on 945 cases with hashes that the package contains. It also compares fused kernels
 * with unfused ones. All comparisons are bit for bit.
 *
 * It runs without a pause and blocks the thread, for some ten seconds per backend. It uses up to 100 MB of memory.
 *
 * @param options The backends to verify, and a function that is told of the progress.
 * @returns One result per backend, in the order of the names.
 * @throws BackendUnavailableError if a named backend cannot be loaded. A backend that was rejected can be verified.
 * @throws TypeError or RangeError if an option is wrong. `ErrorCode` lists the codes.
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
