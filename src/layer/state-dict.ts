// The state of a layer under torch's names, which is copied out, or checked and copied in.
import { checkData, checkInteger, describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { contractVersion } from "../kernels/kernels.js";
import { floatTypeOf, type DType, type Floats, type ParametersOf } from "../base/types.js";

/**
 * The state of a layer under the names that torch.nn.BatchNorm gives its entries. An array has one element per channel.
 * An entry is absent if the layer has no such state.
 */
export interface StateDict<D extends DType> {
  /** γ, if the layer has it. */
  weight?: ParametersOf<D>;
  /** β, if the layer has it. */
  bias?: ParametersOf<D>;
  /** The running mean, if the layer keeps running statistics. */
  running_mean?: ParametersOf<D>;
  /**
   * The running variance, if the layer keeps running statistics. It is unbiased, as in torch. Keras keeps the biased
   * one.
   */
  running_var?: ParametersOf<D>;
  /** The number of batches behind the running statistics. torch keeps it as an int64 tensor of one element. */
  num_batches_tracked?: number;
  /**
   * The version of the exactness contract under which the state was made. A state of any version can be loaded. Only
   * under the same version does training go on with the same bits. torch has no such entry, and it may be absent.
   */
  contract_version?: number;
}

/** The part of a layer that is its state. */
export interface Stateful<D extends DType> {
  readonly numFeatures: number;
  readonly dtype: D;
  readonly weight: ParametersOf<D> | null;
  readonly bias: ParametersOf<D> | null;
  readonly runningMean: ParametersOf<D> | null;
  readonly runningVar: ParametersOf<D> | null;
  numBatchesTracked: number;
}

type TableName = Exclude<keyof StateDict<DType>, "num_batches_tracked" | "contract_version">;

function tablesOf<D extends DType>({
  weight,
  bias,
  runningMean,
  runningVar,
}: Stateful<D>): [TableName, ParametersOf<D>][] {
  const all: [TableName, ParametersOf<D> | null][] = [
    ["weight", weight],
    ["bias", bias],
    ["running_mean", runningMean],
    ["running_var", runningVar],
  ];
  return all.filter((entry): entry is [TableName, ParametersOf<D>] => entry[1] !== null);
}

export function copyState<D extends DType>(layer: Stateful<D>): StateDict<D> {
  const state: StateDict<D> = {};
  for (const [key, table] of tablesOf(layer)) state[key] = table.slice() as ParametersOf<D>;
  if (layer.runningMean) state.num_batches_tracked = layer.numBatchesTracked;
  state.contract_version = contractVersion;
  return state;
}

/** Checks all entries before it copies the first one. */
export function loadState<D extends DType>(layer: Stateful<D>, state: unknown): void {
  if (typeof state !== "object" || state === null)
    throw typeError("ERR_BATCHNORM_TYPE", `"state" expected an object, got ${describe(state)}`);
  const { contract_version: version, ...given }: Record<string, unknown> = { ...state };
  const tables = tablesOf(layer);
  const expected = [...tables.map(([key]) => key as string), ...(layer.runningMean ? ["num_batches_tracked"] : [])];
  const missing = expected.find((key) => given[key] === undefined);
  if (missing !== undefined) throw rangeError("ERR_BATCHNORM_STATE", `state dict lacks "${missing}"`);
  const extra = Object.keys(given).find((key) => !expected.includes(key));
  if (extra !== undefined)
    throw rangeError("ERR_BATCHNORM_STATE", `state dict has unexpected "${extra}", expected ${expected.join(", ")}`);
  const type = floatTypeOf(layer.dtype);
  const check = (key: string, table: unknown): Floats => checkData(key, table, type, layer.numFeatures);
  if (version !== undefined) checkInteger("contract_version", version, 1);
  const values = tables.map(([key, table]) => (check(key, table), check(key, given[key])));
  const batches = layer.runningMean ? checkInteger("num_batches_tracked", given.num_batches_tracked, 0) : 0;
  tables.forEach(([, table], i) => {
    table.set(values[i]!);
  });
  layer.numBatchesTracked = batches;
}
