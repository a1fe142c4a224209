// The options of a synchronized layer that a layer alone does not have.
import { checkBoolean, checkInteger, checkOneOf, describe, isRecord } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import type { DType } from "../base/types.js";
import type { BatchNormOptions } from "../layer/options.js";
import type { Group } from "./group.js";
import { checkTimeout } from "./ranks.js";

/** How a layer is synchronized. */
export interface SyncOptions {
  /** The ranks whose parts make up a batch. They must make the same calls in the same order. */
  group: Group;
  /**
   * Whether ranks exchange the moments of the groups of the exactness contract, before these are merged. Then the results
   * have the bits of one process with the whole batch, if the part of every rank but the last ends where a group does. With
   * false, a rank merges its own groups first: fewer bytes, and results that differ by some roundings in the statistics. The default is true.
   */
  exact?: boolean | undefined;
  /**
   * What `gradWeight`, `gradBias` and `gradSlope` of a backward are the sums over.
   *
   * - `"local"`: the part of this rank, as in torch.nn.SyncBatchNorm. Add or average them over the ranks, as you do with
   *   the gradients of all other parameters. This is the default.
   * - `"global"`: the whole batch, equal on all ranks. They have the bits of one process where the results do.
   */
  parameterGrads?: "local" | "global" | undefined;
  /**
   * How many milliseconds a call waits for the other ranks. Then it throws `ERR_BATCHNORM_GROUP`. Infinity means that there
   * is no limit. The default is that of the group.
   */
  timeout?: number | undefined;
  /** A name for messages of errors. If it is given, it must be equal on all ranks, which then notice calls in another order. */
  name?: string | undefined;
}

/** The options of a `SyncBatchNorm`: those of a `BatchNorm` but virtual batches, and how it is synchronized. */
export type SyncBatchNormOptions<D extends DType = DType> = BatchNormOptions<D> & SyncOptions;

/** The options of synchronization with all defaults. */
export interface CheckedSync {
  readonly group: Group;
  readonly exact: boolean;
  readonly parameterGrads: "local" | "global";
  readonly timeout: number | undefined;
  readonly name: string;
}

const NAMES = ["group", "exact", "parameterGrads", "timeout", "name"] as const;

/** Checks a group, which other code may have made. */
export function checkGroup(value: unknown): Group {
  if (!isRecord(value)) throw typeError("ERR_BATCHNORM_TYPE", `"group" expected a Group, got ${describe(value)}`);
  const { rank, size, allGather } = value as Record<keyof Group, unknown>;
  const ranks = checkInteger("group.size", size, 1);
  if (checkInteger("group.rank", rank, 0) >= ranks)
    throw rangeError("ERR_BATCHNORM_VALUE", `"group.rank" expected a rank below ${ranks}, got ${String(rank)}`);
  if (typeof allGather !== "function")
    throw typeError("ERR_BATCHNORM_TYPE", `"group.allGather" expected a function, got ${describe(allGather)}`);
  return value as Group;
}

function checkSync({
  group,
  exact = true,
  parameterGrads = "local",
  timeout,
  name = "",
}: Record<string, unknown>): CheckedSync {
  if (typeof name !== "string")
    throw typeError("ERR_BATCHNORM_TYPE", `"name" expected a string, got ${describe(name)}`);
  return {
    group: checkGroup(group),
    exact: checkBoolean("exact", exact),
    parameterGrads: checkOneOf("parameterGrads", parameterGrads, ["local", "global"] as const),
    timeout: timeout === undefined ? undefined : checkTimeout(timeout, 0),
    name,
  };
}

/** Reads the options: those of synchronization, and the others, which a layer checks. */
export function readSync(value: unknown): { readonly sync: CheckedSync; readonly others: Record<string, unknown> } {
  if (!isRecord(value)) throw typeError("ERR_BATCHNORM_TYPE", `"options" expected an object, got ${describe(value)}`);
  const own: Record<string, unknown> = {};
  const others: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const given = (value as Record<string, unknown>)[key];
    const isOwn = (NAMES as readonly string[]).includes(key);
    if (given !== undefined) (isOwn ? own : others)[key] = given;
  }
  return { sync: checkSync(own), others };
}
