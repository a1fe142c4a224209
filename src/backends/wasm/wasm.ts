// The WASM backend: runs the kernels on an instance of the module, by staging their arrays.
import type { Data } from "../../base/types.js";
import type { Control } from "../../kernels/control.js";
import type { Kernels } from "../../kernels/kernels.js";
import { KERNEL_NAMES, type KernelName } from "../../kernels/operands.js";
import { runInArena } from "./arena-memory.js";
import { callOf } from "./calls.js";
import type { Means } from "../self-check/self-check.js";
import { CHECK_NAMES, CheckMemory } from "./check-memory.js";
import type { OffThread } from "../off-thread/off-thread.js";
import { offThreadOf, whyInline } from "./off-thread.js";
import { packagedModule } from "./packaged-module.js";
import { planOf } from "./plan.js";
import { MIN_PAGES, Staging, type StagingOptions } from "./staging.js";
import { boxesOf } from "./tiles.js";
import { threadsFor } from "../threads.js";

/** Kernels on an instance of the module with a fixed memory of its own. */
export function instantiate(module: WebAssembly.Module, options: StagingOptions = {}): Kernels {
  return kernelsOf(new Staging(module, options));
}

function kernelsOf(staging: Staging): Kernels {
  const run = (control: Control, name: KernelName, operands: readonly (Data | null)[]): void => {
    const call = callOf(name, control, operands);
    control.set("threadsUsed", 1);
    if (runInArena(control, call)) return;
    const { step, composed } = planOf(staging, control, call);
    if (composed) void composed((part, own) => run(control, part, own), control, operands);
    else staging.run(control, call, boxesOf(control.extent, step));
  };
  const entries = KERNEL_NAMES.map((name) => [
    name,
    (control: Control, ...operands: (Data | null)[]) => run(control, name, operands),
  ]);
  return Object.fromEntries(entries) as Kernels;
}

/** Elements for each thread: fewer take about as long as waking it, twice where a call has two steps. */
const GRAIN = 300_000;

/** How many threads a call may use. It can have several in a shared arena alone. */
export function tuneWasm(control: Control, threads: number | null): void {
  const { outer, channels, inner } = control.extent;
  control.set("threads", outer * channels * inner < 2 * GRAIN ? 1 : (threads ?? threadsFor(undefined)));
  control.set("grain", GRAIN);
}

/** The module with what is made of it once. */
export interface LoadedModule {
  readonly module: WebAssembly.Module;
  /** The bytes that an instance has to itself in a memory. */
  readonly ownBytes: number;
  readonly kernels: Kernels;
  /** Runs the kernels in workers. */
  readonly offThread: OffThread;
}

function loadModule(module: WebAssembly.Module): LoadedModule {
  const staging = new Staging(module);
  const kernels = kernelsOf(staging);
  return { module, ownBytes: staging.ownBytes, kernels, offThread: offThreadOf({ module, staging, kernels }) };
}

let loaded: LoadedModule | null = null;

/** The module, compiled and instantiated once. Throws an Error whose message is the reason where it cannot be. */
export function loadedModule(): LoadedModule {
  return (loaded ??= loadModule(packagedModule()));
}

/** The backend. Throws an Error whose message is the reason where there is none. */
export function loadWasm(): Kernels {
  return loadedModule().kernels;
}

/** What the self-check of a module uses; in parts, the memory is so small that larger cases pass through it in tiles. */
export function checkMeans(module: () => WebAssembly.Module): Means {
  return {
    makeTools: () => new CheckMemory(module()),
    inParts: () => instantiate(module(), { pages: MIN_PAGES, tileBytes: 16_384 }),
  };
}

/** What runs the kernels of the loaded module on another thread, or null where nothing can. */
export function wasmOffThread(): OffThread | null {
  return whyInline() === null ? loadedModule().offThread : null;
}

export const wasmMeans = checkMeans(() => loadedModule().module);

/** Takes the place of the module inside; throws, and changes nothing, where it is not ours. */
export function provideModule(module: WebAssembly.Module): void {
  const names = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const missing = ["ownBytes", "share", "mergeGroups", "widen", "narrow", ...CHECK_NAMES, ...KERNEL_NAMES].filter(
    (name) => !names.has(name),
  );
  if (missing.length > 0) throw new Error(`the module does not export ${missing.join(", ")}`);
  loaded = loadModule(module);
}
