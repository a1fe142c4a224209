// How many threads kernels may use: what the process may, unless BATCHNORM_THREADS says less or more.
import { builtin, environment } from "../base/environment.js";
import { rangeError } from "../base/errors.js";

interface Files {
  readFileSync(path: string, encoding: "utf8"): string;
}

function readText(fs: Files, path: string): string | null {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return null; // no such controller here
  }
}

/** "100000 50000" (cgroup v2) or the two files of v1: quota by period; none is Infinity. */
function quotaOf(quota: string | undefined, period: string | undefined): number {
  const cores = Number(quota) / Number(period);
  return cores > 0 ? cores : Infinity;
}

/** The folders of a control group and of those it lies in, whose limits hold too. */
function withParents(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return Array.from({ length: parts.length + 1 }, (_, i) => parts.slice(0, i).join("/"));
}

/** Cores that the control groups of this process allow, by time: Infinity where they do not limit it. */
export function coresOfGroups(fs: Files, root = "/sys/fs/cgroup", own = "/proc/self/cgroup"): number {
  const quotas = (readText(fs, own) ?? "").split("\n").flatMap((text) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(text) ?? [];
    if (controllers === undefined || path === undefined) return [];
    if (controllers === "")
      return withParents(path).map((folder) => {
        const [quota, period] = readText(fs, `${root}/${folder}/cpu.max`)?.split(/\s/) ?? [];
        return quotaOf(quota, period);
      });
    if (!controllers.split(",").includes("cpu")) return [];
    return withParents(path).map((folder) => {
      const read = (name: string): string | undefined =>
        readText(fs, `${root}/cpu/${folder}/cpu.cfs_${name}_us`) ?? undefined;
      return quotaOf(read("quota"), read("period"));
    });
  });
  return Math.max(1, Math.floor(Math.min(Infinity, ...quotas)));
}

/** The cores of this process's affinity and control groups. */
function availableCores(): number {
  try {
    const cores = builtin("node:os").availableParallelism();
    return Math.min(cores, coresOfGroups(builtin("node:fs")));
  } catch {
    // Not Node, or no permission to look.
    const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
    return navigator?.hardwareConcurrency ?? 1;
  }
}

let fallback: number | undefined;

/**
 * The number that is asked for, or null where all available cores are meant: finding out how many takes a millisecond.
 *
 * @throws RangeError where BATCHNORM_THREADS is set to something that is no positive integer.
 */
export function threadsAskedFor(requested: number | undefined): number | null {
  if (requested !== undefined) return requested;
  const named = environment("BATCHNORM_THREADS");
  if (named === undefined) return null;
  if (!/^[1-9]\d{0,5}$/.test(named)) {
    throw rangeError("ERR_BATCHNORM_VALUE", `"BATCHNORM_THREADS" expected a positive integer, got "${named}"`);
  }
  return Number(named);
}

/** @throws RangeError where BATCHNORM_THREADS is set to something that is no positive integer. */
export function threadsFor(requested: number | undefined): number {
  return threadsAskedFor(requested) ?? (fallback ??= availableCores());
}

/**
 * The same for work beside the calling thread: a core is left to that thread, unless a number was asked for. With all cores
 * at work, an event loop of two cores waited 3.4 ms for its turn, and 0.6 with one left.
 *
 * @throws RangeError where BATCHNORM_THREADS is set to something that is no positive integer.
 */
export function threadsBeside(requested: number | undefined): number {
  return threadsAskedFor(requested) ?? Math.max(1, threadsFor(requested) - 1);
}
