// Arrays of a program, gathered by the same protocol as those of layers: their lengths may differ, and calls in another order
// are noticed.
import { checkArray, describe, isRecord } from "../base/check.js";
import { typeError } from "../base/errors.js";
import { callsOf, runAsync, runBlocking, type Limits } from "./calls.js";
import type { Group } from "./group.js";
import { checkGroup } from "./options.js";
import { exchange, textOfCall, type Steps } from "./protocol.js";
import { checkTimeout } from "./ranks.js";

/** The options of `gather`. */
export interface GatherCallOptions {
  /** A name for messages of errors. It must be equal on all ranks. */
  name?: string | undefined;
  /** How many milliseconds to wait for the other ranks. The default is that of the group. */
  timeout?: number | undefined;
}

interface Checked {
  readonly group: Group;
  readonly steps: Steps<Float64Array[]>;
  readonly limits: Limits;
}

function checked(given: unknown, values: unknown, options: unknown = {}): Checked {
  const group = checkGroup(given);
  const array = checkArray("values", values, ["Float64Array"]) as Float64Array;
  if (!isRecord(options))
    throw typeError("ERR_BATCHNORM_TYPE", `"options" expected an object, got ${describe(options)}`);
  const { name = "", timeout } = options as Record<string, unknown>;
  if (typeof name !== "string")
    throw typeError("ERR_BATCHNORM_TYPE", `"name" expected a string, got ${describe(name)}`);
  const limit = timeout === undefined ? undefined : checkTimeout(timeout, 0);
  const call = { kind: "gather", number: callsOf(group).next(), channels: 0, name, agreement: "" } as const;
  return { group, steps: exchange(group.size, call, array), limits: { timeout: limit, call: textOfCall(call) } };
}

/**
 * Gathers an array of each rank, for example its gradients. The lengths may differ. All ranks must call it, in the same order
 * among the calls of their layers. It blocks.
 *
 * @param group The ranks.
 * @param values The array of this rank.
 * @param options A name, and the time limit.
 * @returns The arrays of all ranks, in the order of the ranks. They are views of one new array.
 * @throws TypeError or RangeError if an argument is wrong.
 * @throws GroupError if another rank failed, did not come in time, or made another call (`ERR_BATCHNORM_GROUP`).
 */
export function gather(group: Group, values: Float64Array, options?: GatherCallOptions): Float64Array[] {
  const { steps, limits, group: own } = checked(group, values, options);
  return runBlocking(own, steps, limits);
}

/**
 * Does the same without blocking. `values` must not change before the promise is settled.
 *
 * @param group The ranks.
 * @param values The array of this rank.
 * @param options A name, and the time limit.
 * @returns The arrays of all ranks, in the order of the ranks. The promise is rejected with the errors of `gather`.
 */
export async function gatherAsync(
  group: Group,
  values: Float64Array,
  options?: GatherCallOptions,
): Promise<Float64Array[]> {
  const { steps, limits, group: own } = checked(group, values, options);
  return runAsync(own, steps, limits);
}
