// What doctor finds out.
import { cpus } from "node:os";
import { ORDINARY, backends, selectBackend, type BackendStatus } from "../backends/backend.js";
import { environment } from "../base/environment.js";
import { messageOf } from "../base/errors.js";
import { contractVersion } from "../kernels/kernels.js";
import { threadsFor } from "../backends/threads.js";
import type { Verification } from "../verify.js";
import { adviceOn, isPlain, plainAdvice, type Advice } from "./advice.js";
import { binaryReport, type BinaryReport } from "./binary.js";
import { measureFirstResult, type FirstResult } from "./first-result.js";
import { measureSpeed, type Speed } from "./speed.js";
import { packageVersion } from "./version.js";

/** What this process runs in. */
export interface Machine {
  readonly runtime: "node" | "bun" | "deno";
  readonly runtimeVersion: string;
  readonly platform: string;
  readonly arch: string;
  readonly libc: string | null;
  readonly cpu: string;
}

export interface Threads {
  /** Null where the variable cannot be used. */
  readonly count: number | null;
  readonly from: "BATCHNORM_THREADS" | "the machine";
}

export interface Report {
  readonly version: string;
  readonly contractVersion: number;
  readonly machine: Machine;
  readonly backends: readonly BackendStatus[];
  readonly firstResult: FirstResult | null;
  /** Of the backend in use; null where there is none. */
  readonly speed: Speed | null;
  readonly threads: Threads;
  readonly variables: Readonly<Record<string, string>>;
  readonly binary: BinaryReport;
  readonly verification: readonly Verification[] | null;
  readonly advice: readonly Advice[];
  readonly ok: boolean;
}

/** Deno and Node's permission model refuse to tell some of it. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

export function machine(libc: string | null): Machine {
  const { bun, deno, node } = process.versions;
  const [runtime, runtimeVersion] = deno
    ? (["deno", deno] as const)
    : bun
      ? (["bun", bun] as const)
      : (["node", node] as const);
  const cpu = attempt(() => cpus()[0]?.model.trim(), undefined) || "unknown";
  return { runtime, runtimeVersion, platform: process.platform, arch: process.arch, libc, cpu };
}

function variables(): Record<string, string> {
  const all = attempt(() => Object.entries(process.env), []);
  const own = all.filter(([name]) => name.startsWith("BATCHNORM_"));
  return Object.fromEntries(own.map(([name, value]) => [name, value ?? ""]));
}

/** The fault that reading a variable meets; null where it can be used. */
function faultOf(variable: string, text: string, use: () => unknown): Advice | null {
  try {
    use();
    return null;
  } catch (error) {
    const reason = messageOf(error);
    return { about: `${variable}: ${reason}`, text, isFault: true };
  }
}

function verificationFaults(verification: readonly Verification[]): Advice[] {
  return verification
    .filter(({ failed }) => failed > 0)
    .map(({ backend, failed, passed }) => ({
      about: `${backend} fails ${failed} of ${failed + passed} comparisons`,
      text: `please report it with this output; until then name another one in BATCHNORM_BACKEND`,
      isFault: true,
    }));
}

const CHECKSUM_DIFFERS: Advice = {
  about: "the native binary is not the one of the release",
  text: "install the package again: npm install batchnorm --force; a build of your own has no checksums.json beside it",
  isFault: true,
};

const CHECKSUMS_UNREADABLE: Advice = {
  about: "prebuilds/checksums.json is damaged",
  text: "install the package again: npm install batchnorm --force",
  isFault: true,
};

export function makeReport(verifyAll: (() => Verification[]) | null): Report {
  // Before anything else has loaded or checked a backend.
  const firstResult = measureFirstResult();
  const list = backends();
  const binary = binaryReport();
  const backendFault = faultOf("BATCHNORM_BACKEND", "leave it out to get the best backend there is", () =>
    selectBackend(ORDINARY),
  );
  const threadsFault = faultOf("BATCHNORM_THREADS", "leave it out to use the cores of this process", () =>
    threadsFor(undefined),
  );
  const verification = verifyAll && verifyAll();
  const inUse = list.find(({ status }) => status === "in use");
  const speed = inUse && !threadsFault ? measureSpeed(inUse.name) : null;
  const faults = [
    backendFault,
    threadsFault,
    binary.checksum !== "differs" ? null : binary.error === undefined ? CHECKSUM_DIFFERS : CHECKSUMS_UNREADABLE,
    speed && isPlain(list) ? plainAdvice(speed.ratio) : null,
  ];
  const advice = [
    ...faults.filter((one) => one !== null),
    ...adviceOn(list),
    ...verificationFaults(verification ?? []),
  ];
  return {
    version: packageVersion,
    contractVersion,
    machine: machine(binary.libc),
    backends: list,
    firstResult,
    speed,
    threads: {
      count: threadsFault ? null : threadsFor(undefined),
      from: environment("BATCHNORM_THREADS") === undefined ? "the machine" : "BATCHNORM_THREADS",
    },
    variables: variables(),
    binary,
    verification,
    advice,
    ok: !advice.some(({ isFault }) => isFault),
  };
}
