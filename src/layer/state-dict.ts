// The state of a layer under torch's names, which is copied out, or checked and copied in.
import { checkBoolean, checkData, describe } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { rangeError, typeError } from "../base/errors.js";
import { contractVersion } from "../kernels/kernels.js";
import { floatTypeOf, type DType, type Floats, type ParametersOf } from "../base/types.js";
import { compareKeys, mismatch, readEntries, type IncompatibleKeys, type Names } from "./state-keys.js";
import { readCount, readTable } from "./state-values.js";

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
   * How many of these batches had one value per channel and moved the running mean alone (`singleValue: "running"`). It
   * is present with `extras: true` if the layer keeps running statistics.
   */
  num_batches_skipped?: number;
  /**
   * The version of the exactness contract under which the state was made. A state of any version can be loaded. Only
   * under the same version does training go on with the same bits. It is present with `extras: true`.
   */
  contract_version?: number;
}

/** The options of `BatchNorm.stateDict`. */
export interface StateDictOptions {
  /**
   * Whether the state also has the entries that torch does not know: `contract_version`, and `num_batches_skipped` if
   * the layer keeps running statistics. The default is false, so that torch loads the state in its strict mode.
   */
  extras?: boolean;
}

/** The options of `BatchNorm.loadStateDict`. */
export interface LoadStateDictOptions {
  /**
   * What stands before the names of the layer's entries, for example `"bn1."` or `"module.bn1."`. Entries without it
   * belong to other layers and are ignored. The default is no prefix.
   */
  prefix?: string;
  /**
   * Whether a missing or unexpected entry is an error. The default is true. With false, the layer keeps what the state
   * lacks, and what the layer lacks is ignored. An entry with a wrong value is an error in either case.
   */
  strict?: boolean;
}

/** The part of a layer that is its state. */
export interface Stateful<D extends DType> {
  readonly numFeatures: number;
  readonly dtype: D;
  readonly weight: ParametersOf<D> | null;
  readonly bias: ParametersOf<D> | null;
  readonly runningMean: ParametersOf<D> | null;
  readonly runningVar: ParametersOf<D> | null;
}

/** The batches behind the running statistics. */
export interface Batches {
  readonly tracked: number;
  /** Batches among them that had no variance, and moved the running mean alone. */
  readonly skipped: number;
}

/**
 * What `loadStateDict` takes: an object or a Map of a layer's entries, which may hold entries of other layers if there
 * is a prefix.
 */
export type StateSource = StateDict<DType> | Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown>;

/** The names of the tables, and the fields of a layer that hold them. */
const TABLES = [
  ["weight", "weight"],
  ["bias", "bias"],
  ["running_mean", "runningMean"],
  ["running_var", "runningVar"],
] as const satisfies readonly (readonly [keyof StateDict<DType>, keyof Stateful<DType>])[];

type TableName = (typeof TABLES)[number][0];

function namesOf(layer: Stateful<DType>): Names<TableName> {
  const required = TABLES.filter(([, field]) => layer[field] !== null).map(([name]) => name);
  const counters = layer.runningMean ? ["num_batches_tracked", "num_batches_skipped"] : [];
  return { required, optional: [...counters, "contract_version"] };
}

/** The layer's own tables. It throws if the buffer of one was transferred to another thread. */
function tablesOf(layer: Stateful<DType>): ReadonlyMap<TableName, Floats> {
  const { dtype, numFeatures } = layer;
  const own = TABLES.filter(([, field]) => layer[field] !== null);
  return new Map(own.map(([name, field]) => [name, checkData(name, layer[field], floatTypeOf(dtype), numFeatures)]));
}

/** Copies the tables of a layer to another with the same ones. */
export function copyTables(from: Stateful<DType>, to: Stateful<DType>): void {
  const tables = tablesOf(to);
  for (const [name, table] of tablesOf(from)) tables.get(name)!.set(table);
}

export function copyState<D extends DType>(layer: Stateful<D>, batches: Batches, options: unknown): StateDict<D> {
  const { extras = false } = readOptions(options, ["extras"]);
  const hasExtras = checkBoolean("extras", extras);
  const state: StateDict<D> = {};
  for (const [name, table] of tablesOf(layer)) state[name] = table.slice() as ParametersOf<D>;
  if (layer.runningMean) state.num_batches_tracked = batches.tracked;
  if (layer.runningMean && hasExtras) state.num_batches_skipped = batches.skipped;
  if (hasExtras) state.contract_version = contractVersion;
  return state;
}

function readLoadOptions(value: unknown): Required<LoadStateDictOptions> {
  const { prefix = "", strict = true } = readOptions(value, ["prefix", "strict"]);
  if (typeof prefix !== "string")
    throw typeError("ERR_BATCHNORM_TYPE", `"prefix" expected a string, got ${describe(prefix)}`);
  return { prefix, strict: checkBoolean("strict", strict) };
}

/** What was loaded besides the tables, which have been written. */
interface Loaded {
  readonly batches: Batches;
  readonly keys: IncompatibleKeys;
}

/** Reads and checks all entries before it writes the first one. */
export function loadState(layer: Stateful<DType>, batches: Batches, state: unknown, options: unknown): Loaded {
  const { prefix, strict } = readLoadOptions(options);
  const entries = readEntries(state);
  const names = namesOf(layer);
  const keys = compareKeys(names, entries, prefix);
  if (strict && keys.missingKeys.length + keys.unexpectedKeys.length > 0)
    throw rangeError("ERR_BATCHNORM_STATE", mismatch(names, entries, prefix, keys));
  const given = names.required.flatMap((name) => {
    const key = prefix + name;
    if (!entries.has(key)) return [];
    return [{ name, values: readTable(key, entries.get(key), layer, name === "running_var") }];
  });
  const loaded = { batches: layer.runningMean ? readBatches(entries, prefix, batches) : batches, keys };
  const version = `${prefix}contract_version`;
  if (entries.has(version)) readCount(version, entries.get(version), 1);
  // From here on no code of the caller runs. Until now it may have transferred the layer's own memory.
  const tables = tablesOf(layer);
  for (const { name, values } of given) tables.get(name)!.set(values);
  return loaded;
}

/** A state with running statistics but without a counter has 0, as torch reads checkpoints of before version 0.4.1. */
function readBatches(entries: ReadonlyMap<string, unknown>, prefix: string, current: Batches): Batches {
  const [counter, skips] = [`${prefix}num_batches_tracked`, `${prefix}num_batches_skipped`];
  const hasStatistics = entries.has(`${prefix}running_mean`) || entries.has(`${prefix}running_var`);
  const hasCounter = entries.has(counter);
  const tracked = hasCounter ? readCount(counter, entries.get(counter)) : hasStatistics ? 0 : current.tracked;
  const skipped = entries.has(skips) ? readCount(skips, entries.get(skips)) : null;
  if (skipped !== null && skipped > tracked)
    throw rangeError("ERR_BATCHNORM_VALUE", `"${skips}" expected at most ${tracked}, got ${skipped}`);
  return { tracked, skipped: skipped ?? (hasCounter || hasStatistics ? 0 : current.skipped) };
}
