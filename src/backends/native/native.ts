// Loads the addon: one binary per platform, the kernels of every instruction set inside.
// No static `node:` imports: where bundlers leave it in, it loads in browsers too and gives a reason.
import type { Control } from "../../kernels/control.js";
import { faultOf, interpreterOf } from "./elf.js";
import { fileReport, isObject } from "./checksum.js";
import { builtin, runtimeProcess } from "../../base/environment.js";
import { messageOf } from "../../base/errors.js";
import { NATIVE_HASHES } from "../self-check/native-hashes.js";
import type { Means } from "../self-check/self-check.js";
import { threadsFor } from "../threads.js";
import { binaryUrl } from "../../binaries.js";
import type { InstructionSet } from "./instruction-sets.js";
import { OUTPUT_FUNCTIONS, offThreadOf, type LaterFunctions, type OutputFunctions } from "./off-thread.js";
import type { OffThread } from "../off-thread/off-thread.js";
import type { Kernels } from "../../kernels/kernels.js";
import { KERNELS, KERNEL_NAMES, type KernelName } from "../../kernels/operands.js";
import { DTYPES, isStoredIn16Bits, type DType, type Data } from "../../base/types.js";

type NativeKernel = (control: Float64Array, ...operands: (Data | null | undefined)[]) => void;
interface NativeKernels extends Readonly<Record<KernelName, NativeKernel>> {
  readonly has16Bit: boolean;
  /** The self-check's hashes of an element type, which is a number here. */
  readonly hashes: (type: number, isWeighted: boolean) => number[];
  readonly later: LaterFunctions;
}
type Sets = Partial<Record<InstructionSet, NativeKernels | { unavailable: string }>>;
interface Exported extends OutputFunctions {
  readonly instructionSets: Sets;
  /** Size of the last-level cache. */
  readonly cacheBytes: number;
}

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

/** Node's own, where there is one that can load an addon. */
function nodeProcess(): NodeJS.Process {
  const process = runtimeProcess();
  if (typeof process?.getBuiltinModule !== "function") throw new Error("not running in Node.js");
  return process as NodeJS.Process;
}

/** In Node alone. */
export function nativeBinary(): NativeBinary {
  const process = nodeProcess();
  const libc = process.platform !== "linux" ? null : isMusl() ? "musl" : "glibc";
  return { libc, path: builtin("node:url").fileURLToPath(binaryUrl(process, libc)) };
}

/** What to do where the file is not the published one: the end of the reason. */
export const REINSTALL = "install the package again (npm install batchnorm --force)";

/** What the file adds to the reason against its kernels: "" where it is the published one, or a build of one's own. */
export function checksumNote(): string {
  try {
    const { checksum, error = "its checksum differs from the published one" } = fileReport(nativeBinary().path);
    return checksum === "differs" ? `; ${error}: ${REINSTALL}` : "";
  } catch {
    return ""; // no Node, or no permission to read: the reason says so
  }
}

/** Own properties alone: a program may have polluted `Object.prototype`. */
const isUnavailable = (set: object): set is { unavailable: string } => Object.hasOwn(set, "unavailable");

/** Whether an exported value is one instruction set: its functions, or the reason for none. */
function isExportedSet(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (isUnavailable(value)) return typeof value.unavailable === "string";
  const { later } = value;
  const hasLater = isObject(later) && KERNEL_NAMES.every((name) => typeof later[name] === "function");
  const functions = [...KERNEL_NAMES, "hashes"];
  return (
    hasLater && typeof value["has16Bit"] === "boolean" && functions.every((name) => typeof value[name] === "function")
  );
}

function isExported(exports: unknown): exports is Exported {
  if (!isObject(exports) || typeof exports["cacheBytes"] !== "number") return false;
  if (!OUTPUT_FUNCTIONS.every((name) => typeof exports[name] === "function")) return false;
  const sets = exports["instructionSets"];
  return isObject(sets) && Object.values(sets).every(isExportedSet);
}

function loadAddon(): Exported {
  const process = nodeProcess();
  const { path } = nativeBinary();
  const fs = builtin("node:fs");
  if (!fs.existsSync(path))
    throw new Error(`no binary for ${process.platform}-${process.arch}: ${path} does not exist`);
  // Opening a pipe would wait for somebody to write to it.
  if (!fs.statSync(path).isFile()) throw new Error(`${path} is not a file`);
  const fault = faultOf(fs, path, process.arch);
  if (fault !== null) throw new Error(`${path} ${fault}`);
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, path);
  if (!isExported(module.exports)) throw new Error(`${path} is not this library's addon`);
  return module.exports;
}

type Addon = { exported: Exported; reason: null } | { exported: null; reason: string };
let addon: Addon | undefined;

function load(): Addon {
  try {
    return { exported: loadAddon(), reason: null };
  } catch (error) {
    return { exported: null, reason: messageOf(error) + checksumNote() };
  }
}

/**
 * Leaves a binary that the checksum shows to be damaged unloaded, where there is time to read it whole: loading it may
 * end the process.
 */
export function refuseDamaged(): void {
  const note = checksumNote();
  if (note !== "") addon ??= { exported: null, reason: `${nativeBinary().path} is not loaded${note}` };
}

/** A kernel as the addon exports it, as the library calls it. Absent last operands are left out: each costs a check. */
function wrap(kernel: NativeKernel, count: number): (control: Control, ...operands: (Data | null)[]) => void {
  // One function for each number of operands: a call that spreads an array takes 0.1 us more.
  switch (count) {
    case 2:
      return ({ block }, a, b) => (b ? kernel(block, a, b) : kernel(block, a));
    case 3:
      return ({ block }, a, b, c) => (c ? kernel(block, a, b, c) : kernel(block, a, b));
    case 4:
      return ({ block }, a, b, c, d) =>
        d ? kernel(block, a, b, c, d) : c ? kernel(block, a, b, c) : kernel(block, a, b);
    default:
      return ({ block }, a, b, c, d, e, f) =>
        f
          ? kernel(block, a, b, c, d, e, f)
          : (d ?? e)
            ? kernel(block, a, b, c, d, e)
            : kernel(block, a, b, c);
  }
}

function kernelsOf(native: NativeKernels): Kernels {
  const entries = KERNEL_NAMES.map((name) => [name, wrap(native[name], KERNELS[name].operands.length)]);
  return Object.fromEntries(entries) as Kernels;
}

function exportedSet(set: InstructionSet): NativeKernels {
  addon ??= load();
  if (addon.reason !== null) throw new Error(addon.reason);
  const kernels = addon.exported.instructionSets[set];
  if (kernels === undefined) throw new Error(`this binary, for ${nodeProcess().arch}, has no ${set} kernels`);
  if (isUnavailable(kernels)) throw new Error(kernels.unavailable);
  return kernels;
}

/** The kernels of one instruction set. Throws an Error whose message says why there are none. */
export function loadNative(set: InstructionSet): Kernels {
  return kernelsOf(exportedSet(set));
}

/** Kernel calls of one that was loaded on another thread, or null where there are none. */
export function nativeOffThread(set: InstructionSet): OffThread | null {
  const { later } = exportedSet(set);
  return addon?.exported ? offThreadOf(later, addon.exported) : null;
}

/** Whether one that was loaded has instructions that convert data of a type: without them WASM is no slower. */
export function nativeSupports(set: InstructionSet, dtype: DType): boolean {
  return !isStoredIn16Bits(dtype) || exportedSet(set).has16Bit;
}

/** What the self-check uses of one that was loaded: its kernels make the hashes in one call. */
export function nativeMeans(set: InstructionSet): Means {
  const makeHashes = (dtype: DType, isWeighted: boolean): readonly number[] =>
    exportedSet(set).hashes(DTYPES.indexOf(dtype), isWeighted);
  return { inside: { makeHashes, expected: NATIVE_HASHES } };
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
export function tuneNative(control: Control, threads: number | null): void {
  const { outer, channels, inner } = control.extent;
  control.set("threads", outer * channels * inner < 2 * GRAIN ? 1 : (threads ?? threadsFor(undefined)));
  control.set("grain", GRAIN);
  if (addon?.exported) control.set("streamFrom", addon.exported.cacheBytes / 2);
}
