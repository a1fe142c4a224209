// The addon of native/mpi/, which `npx batchnorm build-mpi` builds: where it is, and what it has.
import { faultOf } from "../backends/native/elf.js";
import { packageUrl } from "../binaries.js";
import { builtin, runtimeProcess } from "../base/environment.js";
import { messageOf, rangeError } from "../base/errors.js";

/** What `wait` returns. */
export const Outcome = { pending: 0, done: 1, mismatch: 2, gaveUp: 3 } as const;

/** Kinds of notices. */
export const Kind = { waiting: 0, splitting: 1, gaveUp: 2 } as const;
type Kind = (typeof Kind)[keyof typeof Kind];

/** The addon's functions. A handle is a number that stands for a communicator. native/mpi/calls.h says what each does. */
export interface MpiAddon {
  /** The MPI whose headers it was compiled with, such as `"Open MPI 4.1.4"`. */
  readonly builtFor: string;
  readonly library: () => string;
  readonly open: () => number;
  readonly split: (handle: number, ranks: Int32Array) => number;
  readonly ranks: (handle: number) => Float64Array;
  readonly start: (handle: number, values: Float64Array) => number;
  readonly wait: (handle: number, milliseconds: number) => number;
  readonly result: (handle: number) => Float64Array;
  readonly lengths: (handle: number) => Float64Array;
  readonly tell: (handle: number, kind: Kind, value: number, text: string) => void;
  readonly heard: (handle: number, kind: Kind) => Float64Array;
  readonly givenUp: (handle: number) => number;
  readonly givenUpText: (handle: number) => string;
  readonly close: (handle: number) => void;
  readonly finalize: () => void;
  readonly abandon: () => void;
}

const FUNCTIONS: readonly Exclude<keyof MpiAddon, "builtFor">[] = [
  ...["library", "open", "split", "ranks", "start", "wait", "result", "lengths"],
  ...["tell", "heard", "givenUp", "givenUpText", "close", "finalize", "abandon"],
] as Exclude<keyof MpiAddon, "builtFor">[];

export const ADDON_NAME = "batchnorm-mpi.node";
export const BUILD_COMMAND = "npx batchnorm build-mpi";

/** Where the command puts it, unless it is told otherwise. */
export function defaultAddonFolder(): string {
  return builtin("node:url").fileURLToPath(packageUrl("build/mpi/"));
}

/** The file that is meant: an option, a variable, or what the command built. A folder stands for the addon in it. */
export function addonPath(given: string | undefined): string {
  const paths = builtin("node:path");
  const path = given ?? runtimeProcess()?.env?.["BATCHNORM_MPI"];
  if (!path) return paths.join(defaultAddonFolder(), ADDON_NAME);
  return path.endsWith(".node") ? paths.resolve(path) : paths.resolve(path, ADDON_NAME);
}

function isAddon(value: unknown): value is MpiAddon {
  const exports = value as Readonly<Record<string, unknown>>;
  return typeof exports["builtFor"] === "string" && FUNCTIONS.every((name) => typeof exports[name] === "function");
}

function unavailable(reason: string): RangeError {
  return rangeError("ERR_BATCHNORM_MPI", `${reason}. Build the addon with: ${BUILD_COMMAND}`);
}

/**
 * The transport of MPICH on Debian patches the functions by which a process gets memory, while other threads of Node use them:
 * a few processes in a hundred then crashed. Only networks that write into memory by themselves gain from it. Its variables
 * are read when it is loaded. A user's own value stays.
 */
function quietUcx({ env }: NodeJS.Process): void {
  env["UCX_MEM_EVENTS"] ??= "n";
  // V8 has its own handler of this signal, for WebAssembly.
  env["UCX_HANDLE_ERRORS"] ??= "none";
}

/** A process has one MPI, so that it has one addon. */
let loaded: { readonly path: string; readonly addon: MpiAddon } | undefined;

/** @throws RangeError ERR_BATCHNORM_MPI, which says what to do */
export function loadMpiAddon(given?: string): MpiAddon {
  const process = runtimeProcess() as NodeJS.Process | undefined;
  if (typeof process?.getBuiltinModule !== "function") throw rangeError("ERR_BATCHNORM_MPI", "MPI needs Node.js");
  const path = addonPath(given);
  if (loaded?.path === path) return loaded.addon;
  if (loaded !== undefined)
    throw rangeError("ERR_BATCHNORM_MPI", `this process has loaded ${loaded.path}, and cannot load ${path} too`);
  const fs = builtin("node:fs");
  if (!fs.existsSync(path)) throw unavailable(`the addon for MPI is not built: ${path} does not exist`);
  const module: { exports: unknown } = { exports: {} };
  try {
    const fault = fs.statSync(path).isFile() ? faultOf(fs, path, process.arch) : "is not a file";
    if (fault !== null) throw new Error(`${path} ${fault}`);
    // Plugins of older versions of Open MPI look for its symbols among those of the process.
    const { RTLD_NOW, RTLD_GLOBAL } = builtin("node:os").constants.dlopen;
    quietUcx(process);
    process.dlopen(module, path, (RTLD_NOW ?? 2) | (RTLD_GLOBAL ?? 0));
  } catch (error) {
    throw unavailable(`the addon for MPI cannot be loaded: ${messageOf(error)}`);
  }
  if (!isAddon(module.exports)) throw unavailable(`${path} is not the addon of this version`);
  loaded = { path, addon: module.exports };
  return module.exports;
}
