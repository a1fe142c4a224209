// The WASM backend: runs the kernels on an instance of the module, by staging their arrays.
import type { Data } from "../../base/types.js";
import { gradCoefficients } from "../../kernels/coefficients.js";
import type { Control } from "../../kernels/control.js";
import type { Kernels, OperandsOf } from "../../kernels/kernels.js";
import { KERNEL_NAMES, type KernelName } from "../../kernels/operands.js";
import { runInArena } from "./arena-memory.js";
import { callOf } from "./calls.js";
import type { Means } from "../self-check/self-check.js";
import { CHECK_NAMES, CheckMemory } from "./check-memory.js";
import { packagedModule } from "./packaged-module.js";
import { MIN_PAGES, Staging, holdsChannels } from "./staging.js";
import { tileForElements, tileForSums } from "./tiles.js";
import { threadsFor } from "../threads.js";

export interface StagingOptions {
  /** Size of the memory in pages of 64 KiB. */
  readonly pages?: number;
  /** Bytes of a tile, all operands together, as far as whole blocks allow: what a core's own cache holds. */
  readonly tileBytes?: number;
}

/**
 * 16 MiB hold three operands of the largest tiles beside the control block of many thousand
 * channels; more would not be faster, because tiles are sized for the cache.
 */
const PAGES = 256;
const TILE_BYTES = 1 << 20;

const TILES: Record<KernelName, typeof tileForSums> = {
  moments: tileForSums,
  normalize: tileForElements,
  gradSums: tileForSums,
  gradInput: tileForElements,
  forward: tileForSums,
  backward: tileForSums,
  zeroMasked: tileForElements,
};

type Run = (kernels: Kernels, control: Control, operands: readonly (Data | null)[]) => void;

/** The fused kernels as their parts: where a tile does not hold whole channels, each part goes over all tiles first. */
const COMPOSED: Partial<Record<KernelName, Run>> = {
  forward: (kernels, control, operands) => {
    const [x, y, residual, w] = operands as OperandsOf<"forward">;
    kernels.moments(control, x, w);
    kernels.normalize(control, x, y, residual);
  },
  backward: (kernels, control, operands) => {
    const [x, dy, dx, residualOrY, dresidual, w] = operands as OperandsOf<"backward">;
    kernels.gradSums(control, x, dy, residualOrY);
    gradCoefficients(control);
    kernels.gradInput(control, x, dy, dx, residualOrY, dresidual, w);
  },
};

/** Kernels on an instance of the module with a fixed memory of its own. */
export function instantiate(
  module: WebAssembly.Module,
  { pages = PAGES, tileBytes = TILE_BYTES }: StagingOptions = {},
): Kernels {
  return kernelsOf(new Staging(module, pages, tileBytes));
}

function kernelsOf(staging: Staging): Kernels {
  const run = (name: KernelName, control: Control, operands: (Data | null)[]): void => {
    const call = callOf(name, control, operands);
    control.set("threadsUsed", 1);
    if (runInArena(control, call)) return;
    const step = staging.stepOf(control, call, TILES[name]);
    const compose = holdsChannels(control, step) || !Object.hasOwn(COMPOSED, name) ? null : COMPOSED[name];
    if (compose) compose(kernels, control, operands);
    else staging.run(control, call, step);
  };
  const entries = KERNEL_NAMES.map((name) => [
    name,
    (control: Control, ...operands: (Data | null)[]) => run(name, control, operands),
  ]);
  const kernels = Object.fromEntries(entries) as Kernels;
  return kernels;
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
}

function loadModule(module: WebAssembly.Module): LoadedModule {
  const staging = new Staging(module, PAGES, TILE_BYTES);
  return { module, ownBytes: staging.ownBytes, kernels: kernelsOf(staging) };
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
