// Loads the addon: one binary per platform, the kernels of every instruction set inside.
// No static `node:` imports: where bundlers leave it in, it loads in browsers too and gives a reason.
import type { Control } from "../../kernels/control.js";
import { interpreterOf, isTruncated } from "./elf.js";
import { messageOf } from "../../base/errors.js";
import { binaryUrl } from "../../binaries.js";
import type { InstructionSet } from "./instruction-sets.js";
import { KERNELS, type Kernels } from "../../kernels/kernels.js";
import { isStoredIn16Bits, type DType, type Data } from "../../base/types.js";

type NativeKernel = (control: Float64Array, ...data: (Data | null)[]) => void;
type NativeKernels = Record<keyof Kernels, NativeKernel> & { readonly has16Bit: boolean };
type Sets = Partial<Record<InstructionSet, NativeKernels | { unavailable: string }>>;
interface Exported {
  readonly instructionSets: Sets;
  /** Size of the last-level cache. */
  readonly cacheBytes: number;
}

/** Called late and by its own name: bundlers leave it alone. */
const builtin: typeof process.getBuiltinModule = (id: string) => process.getBuiltinModule(id);

/** Whether this process runs on musl. */
function isMusl(): boolean {
  try {
    return interpreterOf(builtin("node:fs"), "/proc/self/exe").includes("ld-musl-");
  } catch {
    return false; // no such file, or no permission: glibc is the likelier
  }
}

/** The binary that this machine would use, whether it is there or not; its C library where a platform has two. */
export interface NativeBinary {
  readonly libc: "glibc" | "musl" | null;
  readonly path: string;
}

/** In Node alone. */
export function nativeBinary(): NativeBinary {
  const libc = process.platform !== "linux" ? null : isMusl() ? "musl" : "glibc";
  return { libc, path: builtin("node:url").fileURLToPath(binaryUrl(libc)) };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** Whether an exported value is one instruction set: its functions, or the reason for none. */
function isExportedSet(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (typeof value["unavailable"] === "string") return true;
  return typeof value["has16Bit"] === "boolean" && KERNELS.every((name) => typeof value[name] === "function");
}

function isExported(exports: unknown): exports is Exported {
  if (!isObject(exports) || typeof exports["cacheBytes"] !== "number") return false;
  const sets = exports["instructionSets"];
  return isObject(sets) && Object.values(sets).every(isExportedSet);
}

function loadAddon(): Exported {
  if (typeof globalThis.process?.getBuiltinModule !== "function") throw new Error("not running in Node.js");
  const { path } = nativeBinary();
  const fs = builtin("node:fs");
  if (!fs.existsSync(path))
    throw new Error(`no binary for ${process.platform}-${process.arch}: ${path} does not exist`);
  if (isTruncated(fs, path)) throw new Error(`${path} is truncated`);
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, path);
  if (!isExported(module.exports)) throw new Error(`${path} is not this library's addon`);
  return module.exports;
}

let addon: { exported: Exported } | { reason: string } | undefined;

function load(): { exported: Exported } | { reason: string } {
  try {
    return { exported: loadAddon() };
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

const fromBlock = (native: NativeKernels): Kernels => ({
  moments: (control: Control, x) => native.moments(control.block, x),
  normalize: (control, x, y, residual) => native.normalize(control.block, x, y, residual),
  gradSums: (control, x, dy, aux) => native.gradSums(control.block, x, dy, aux),
  gradInput: (control, x, dy, dx, aux, dresidual) => native.gradInput(control.block, x, dy, dx, aux, dresidual),
  forward: (control, x, y, residual) => native.forward(control.block, x, y, residual),
  backward: (control, x, dy, dx, aux, dresidual) => native.backward(control.block, x, dy, dx, aux, dresidual),
  weightedMoments: (control, x, w) => native.weightedMoments(control.block, x, w),
  weightedGradInput: (control, ...data) => native.weightedGradInput(control.block, ...data),
  weightedForward: (control, ...data) => native.weightedForward(control.block, ...data),
  weightedBackward: (control, ...data) => native.weightedBackward(control.block, ...data),
  zeroMasked: (control, x, y, w) => native.zeroMasked(control.block, x, y, w),
});

function exportedSet(set: InstructionSet): NativeKernels {
  addon ??= load();
  if ("reason" in addon) throw new Error(addon.reason);
  const kernels = addon.exported.instructionSets[set];
  if (kernels === undefined) throw new Error(`this binary, for ${process.arch}, has no ${set} kernels`);
  if ("unavailable" in kernels) throw new Error(kernels.unavailable);
  return kernels;
}

/** The kernels of one instruction set. Throws an Error whose message says why there are none. */
export function loadNative(set: InstructionSet): Kernels {
  return fromBlock(exportedSet(set));
}

/** Whether one that was loaded has instructions that convert data of a type: without them WASM is no slower. */
export function nativeSupports(set: InstructionSet, dtype: DType): boolean {
  return !isStoredIn16Bits(dtype) || exportedSet(set).has16Bit;
}

/**
 * Elements for each thread: a forward of so many takes some 50 us, what waking a thread costs. Larger: 32x256x14x14
 * and 256x512x4 would run on one.
 */
const GRAIN = 131_072;

/**
 * How much of the machine a call may use. Outputs are written past the cache where the operands fill half of the
 * last level: from there on reading y later costs less than y's taking the cache from x (12.8 MB each 1.72 -> 1.28 ms,
 * 6.4 MB each 0.35 -> 0.50 ms, with 24 MB of cache).
 */
export function tuneNative(control: Control, threads: number): void {
  control.set("threads", threads);
  control.set("grain", GRAIN);
  if (addon && "exported" in addon) control.set("streamFrom", addon.exported.cacheBytes / 2);
}
