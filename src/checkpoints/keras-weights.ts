// Batch normalizations as the lists of arrays that `get_weights` of Keras returns and `set_weights` takes.
import { describe, isRecord, lengthOf, tagOf } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { fieldOf } from "../base/options.js";
import type { DType, FloatType } from "../base/types.js";
import { BatchNorm } from "../layer/batch-norm.js";
import type { BatchNormOptions } from "../layer/options.js";
import { TABLES } from "./entry-names.js";

const KERAS = ["gamma", "beta", "moving_mean", "moving_variance"];

/** The tables that a layer of these options has, in the order of Keras. */
function tablesOf({ affine, weight, bias }: BatchNormOptions): readonly string[] {
  const has = (option: boolean | undefined): boolean => (option ?? affine) !== false;
  return TABLES.filter((name) => (name !== "weight" || has(weight)) && (name !== "bias" || has(bias)));
}

function channelsOf(weights: readonly unknown[]): number {
  const last = weights.at(-1);
  const data = isRecord(last) ? fieldOf(last, "data") : last;
  if (Array.isArray(data)) return data.length;
  if (tagOf(data) !== undefined) return lengthOf(data);
  throw typeError("ERR_BATCHNORM_TYPE", `"weights" expected arrays, got ${describe(last)} at its end`);
}

/**
 * Makes a layer of the list that `get_weights()` of a `BatchNormalization` of Keras returns: γ, β, the moving mean and the
 * moving variance. The list has no γ if the layer has `scale=False`, and no β with `center=False`. The layer is in
 * inference mode. It has Keras's convention, so that it goes on training as in Keras.
 *
 * @param weights The arrays, of any form that `loadStateDict` takes.
 * @param options The options of the layer. Pass `weight: false` for `scale=False`, and `bias: false` for `center=False`.
 * The default of `eps` is 1e-3 and that of `momentum` 0.99, as in Keras.
 * @returns The layer.
 * @throws TypeError if `weights` is no array of arrays (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if the list has more or fewer arrays than the layer (`ERR_BATCHNORM_STATE`), or if an array has a
 * wrong length (`ERR_BATCHNORM_SHAPE`) or a wrong value (`ERR_BATCHNORM_VALUE`).
 */
export function fromWeights<D extends DType = FloatType>(
  weights: readonly unknown[],
  options?: BatchNormOptions<D>,
): BatchNorm<D> {
  if (!Array.isArray(weights))
    throw typeError("ERR_BATCHNORM_TYPE", `"weights" expected an array of arrays, got ${describe(weights)}`);
  const tables = tablesOf(options ?? {});
  if (weights.length !== tables.length) {
    const names = tables.map((name) => KERAS[TABLES.indexOf(name)]).join(", ");
    const hint =
      weights.length < tables.length ? '; pass "weight: false" for scale=False, "bias: false" for center=False' : "";
    throw rangeError(
      "ERR_BATCHNORM_STATE",
      `"weights" expected ${tables.length} arrays (${names}), got ${weights.length}${hint}`,
    );
  }
  const layer = new BatchNorm<D>(channelsOf(weights), { convention: "keras", ...options });
  layer.loadStateDict(Object.fromEntries(tables.map((name, i) => [name, weights[i] as object])));
  return layer.eval();
}

/**
 * The list of arrays that `set_weights()` of a `BatchNormalization` of Keras takes: γ, β, the moving mean and the moving
 * variance, without those that the layer has not. They are copies.
 *
 * @param layer The layer.
 * @returns The arrays.
 * @throws TypeError if it is no layer (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if the layer keeps no running statistics (`ERR_BATCHNORM_STATE`).
 */
export function toWeights<D extends DType>(layer: BatchNorm<D>): readonly (Float32Array | Float64Array)[] {
  if (!isRecord(layer) || typeof fieldOf(layer, "stateDict") !== "function")
    throw typeError("ERR_BATCHNORM_TYPE", `"layer" expected a BatchNorm, got ${describe(layer)}`);
  const state = layer.stateDict() as Readonly<Record<string, unknown>>;
  if (state["running_mean"] === undefined || state["running_mean"] === null)
    throw rangeError("ERR_BATCHNORM_STATE", `"layer" expected running statistics, which Keras always has`);
  return TABLES.filter((name) => ArrayBuffer.isView(state[name])).map((name) => state[name] as Float32Array);
}
