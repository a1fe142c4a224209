// The batch normalizations among the tensors of a file, and layers of them. A format whose names are not torch's gives
// its tensors those names.
import { describe, isRecord } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { widen } from "../base/storage.js";
import { isStoredIn16Bits, type DType } from "../base/types.js";
import { BatchNorm } from "../layer/batch-norm.js";
import type { BatchNormOptions } from "../layer/options.js";
import { COUNTERS, STATISTICS, TABLES } from "./entry-names.js";
import { quoted } from "./json-text.js";
import { countOf, type Checkpoint, type CheckpointTensor, type TensorArray, type TensorDType } from "./tensors.js";

/** A batch normalization in a file. */
export interface FoundBatchNorm {
  /** What stands before the names of its entries, for example `"layer1.0.bn1."`. `load` takes it. */
  readonly prefix: string;
  /** The number of channels. */
  readonly channels: number;
  /** The element type of its running statistics. */
  readonly dtype: TensorDType;
  /**
   * Which of `weight`, `bias`, `running_mean` and `running_var` the file does not have. A layer that was made with
   * `affine: false` lacks the first two, and so does one of which another file holds the rest.
   */
  readonly missing: readonly string[];
}

const FLOATS: readonly TensorDType[] = ["float64", "float32", "float16", "bfloat16"];
/** A message names no more prefixes than this. */
const MOST_NAMED = 8;

/** Up to the last mark between words, which is included. */
const prefixOf = (name: string): string => name.slice(0, 1 + Math.max(name.lastIndexOf("."), name.lastIndexOf("/")));

/** Normalizations are told from other layers by their running statistics. */
export function batchNormsIn({ tensors }: Checkpoint): readonly FoundBatchNorm[] {
  const names = [...tensors.keys()].filter((name) => STATISTICS.includes(name.slice(prefixOf(name).length)));
  return [...new Set(names.map(prefixOf))].map((prefix) => {
    const [mean, variance] = STATISTICS.map((name) => tensors.get(prefix + name));
    const { dtype, shape } = (mean ?? variance)!;
    return { prefix, channels: countOf(shape), dtype, missing: TABLES.filter((name) => !tensors.has(prefix + name)) };
  });
}

function batchNormAt(checkpoint: Checkpoint, prefix: unknown): FoundBatchNorm {
  if (typeof prefix !== "string")
    throw typeError("ERR_BATCHNORM_TYPE", `"prefix" expected a string, got ${describe(prefix)}`);
  const all = batchNormsIn(checkpoint);
  const found = all.find((one) => one.prefix === prefix);
  if (found) return found;
  const others = all.slice(0, MOST_NAMED).map((one) => quoted(one.prefix));
  const choice = all.length === 1 ? "the only prefix" : `one of the ${all.length} prefixes`;
  const there = all.length === 0 ? "the file has none" : `pass ${choice}: ${others.join(", ")}`;
  const more = all.length > MOST_NAMED ? " and so on" : "";
  throw rangeError("ERR_BATCHNORM_STATE", `no batch normalization has the prefix "${prefix}"; ${there}${more}`);
}

/** What `loadStateDict` takes of a tensor. */
interface Entry {
  readonly data: TensorArray;
  readonly shape: readonly number[];
}

async function entryOf(tensor: CheckpointTensor, isTable: boolean): Promise<Entry> {
  const { name, dtype, shape } = tensor;
  if (isTable && !FLOATS.includes(dtype))
    throw rangeError("ERR_BATCHNORM_FILE", `"${name}" expected elements of a floating-point type, got ${dtype}`);
  const data = await tensor.read();
  const is16Bits = isTable && isStoredIn16Bits(dtype as DType);
  return { data: is16Bits ? widen(dtype as DType, data as Uint16Array) : data, shape };
}

/** A layer in inference mode. Everything is read before anything of that size is allocated. */
export async function layerOf<D extends DType>(
  checkpoint: Checkpoint,
  prefix: string,
  options: BatchNormOptions<D> | undefined,
): Promise<BatchNorm<D>> {
  const { channels, dtype } = batchNormAt(checkpoint, prefix);
  if (options !== undefined && !isRecord(options))
    throw typeError("ERR_BATCHNORM_TYPE", `"options" expected an object, got ${describe(options)}`);
  const own = [...TABLES, ...COUNTERS].filter((name) => checkpoint.tensors.has(prefix + name));
  const entries = await Promise.all(
    own.map(async (name) => {
      const key = prefix + name;
      return [key, await entryOf(checkpoint.tensors.get(key)!, TABLES.includes(name))] as const;
    }),
  );
  const exact = (dtype === "float64" ? "float64" : "float32") as D;
  const layer = new BatchNorm<D>(channels, { ...options, dtype: options?.dtype ?? exact });
  layer.loadStateDict(new Map(entries), { prefix });
  return layer.eval();
}
