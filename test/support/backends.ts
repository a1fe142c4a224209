// The backends a suite runs over: each with its kernels, or with the reason why they cannot be had.
import { readFileSync } from "node:fs";
import { test } from "vitest";
import { candidates, supports } from "../../src/backends/candidates.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { warmUp } from "../../src/functional/warm-up.js";
import { instantiate } from "../../src/backends/wasm/wasm.js";
import { wasmBase64 } from "../../src/backends/wasm/wasm-binary.js";
import { inArena } from "./in-arena.js";
import { sharing } from "./sharing.js";

export interface BackendUnderTest {
  readonly name: string;
  readonly kernels: Kernels | null;
  readonly reason: string;
  /** Whether it takes 16-bit elements. */
  readonly has16Bit: boolean;
}

/** What this CPU must be able to run when native is required; where the system does not say, the baseline. */
function requiredSets(): string[] {
  if (process.arch === "arm64") return ["neon"];
  if (process.arch !== "x64") return [];
  const flags =
    process.platform === "linux"
      ? (/^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" ") ?? [])
      : [];
  const has = (...names: string[]): boolean => names.every((name) => flags.includes(name));
  return [
    "sse2",
    ...(has("avx2") ? ["avx2"] : []),
    ...(has("avx512f", "avx512bw", "avx512dq", "avx512vl") ? ["avx512"] : []),
  ];
}

/** `BATCHNORM_REQUIRE=native,wasm`: a backend that is missing fails instead of being skipped. `mpi` is asked by test/mpi/. */
function required(): string[] {
  const given = (process.env["BATCHNORM_REQUIRE"] ?? "").split(",");
  const names = given.filter((name) => name !== "" && name !== "mpi");
  return names.flatMap((name) => (name === "native" ? requiredSets().map((set) => `native/${set}`) : [name]));
}

function load(candidate: (typeof candidates)[number]): BackendUnderTest {
  const { name } = candidate;
  try {
    return { name, kernels: candidate.load(), reason: "", has16Bit: supports(candidate, "float16") };
  } catch (error) {
    return { name, kernels: null, reason: error instanceof Error ? error.message : String(error), has16Bit: false };
  }
}

export const backendsUnderTest: readonly BackendUnderTest[] = candidates.map(load);

export function isAvailable(name: string): boolean {
  return backendsUnderTest.some((backend) => backend.name === name && backend.kernels !== null);
}

/** Whether any instruction set can be had. */
export const hasNative = backendsUnderTest.some(({ name, kernels }) => name.startsWith("native/") && kernels !== null);

/** One test per missing backend: skipped with its reason in the name, or failed where it is required. */
export function reportMissing(): void {
  const names = required();
  for (const name of names) {
    if (!backendsUnderTest.some((backend) => backend.name === name))
      throw new RangeError(`BATCHNORM_REQUIRE: no backend "${name}"`);
  }
  for (const { name, kernels, reason } of backendsUnderTest) {
    if (kernels) continue;
    const title = `${name}: ${reason}`;
    if (names.includes(name))
      test(title, () => {
        throw new Error(`${name} is required: ${reason}`);
      });
    else test.skip(title, () => undefined);
  }
}

/** Every native backend on three threads. */
export function sharingNative(): BackendUnderTest[] {
  return backendsUnderTest.flatMap(({ name, kernels, reason, has16Bit }) =>
    name.startsWith("native/") && kernels
      ? [{ name: `${name} on three threads, past the cache`, kernels: sharing(kernels), reason, has16Bit }]
      : [],
  );
}

/** WASM with so little memory that most tensors pass through it tile by tile. */
const SMALL = [
  { pages: 14, tileBytes: 4096 },
  { pages: 20, tileBytes: 2 ** 20 },
];

export function smallWasm(): BackendUnderTest[] {
  if (!backendsUnderTest.some(({ name, kernels }) => name === "wasm" && kernels)) return [];
  const module = new WebAssembly.Module(Buffer.from(wasmBase64(), "base64"));
  return SMALL.map((options) => ({
    name: `wasm of ${options.pages} pages, tiles of ${options.tileBytes} bytes`,
    kernels: instantiate(module, options),
    reason: "",
    has16Bit: true,
  }));
}

/** WASM on several threads, which are there, in a shared arena. */
export async function threadedWasm(counts: readonly number[]): Promise<BackendUnderTest[]> {
  const wasm = backendsUnderTest.find(({ name, kernels }) => name === "wasm" && kernels);
  if (!wasm) return [];
  await warmUp({ backend: "wasm", threads: Math.max(...counts) });
  return counts.map((threads) => ({
    ...wasm,
    name: `wasm on ${threads} threads`,
    kernels: inArena(wasm.kernels!, threads),
  }));
}

/** WASM on arrays in its memory. */
export function arenaWasm(): BackendUnderTest[] {
  return backendsUnderTest.flatMap(({ name, kernels, reason, has16Bit }) =>
    name === "wasm" && kernels ? [{ name: "wasm in an arena", kernels: inArena(kernels), reason, has16Bit }] : [],
  );
}
