// Conditional batch normalization: γ and β of each sample, in the place of one of each channel. Tables are row-major, with a
// row of C elements for each of the N samples.
import { checkBoolean, checkData } from "../base/check.js";
import { partsOf } from "../base/arrays.js";
import { rangeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import type { Data, Floats } from "../base/types.js";
import type { Saved } from "./saved.js";

/** γ and β of each sample, as a caller gave them. One that was not given is that of the layer. */
export interface GivenTables {
  readonly samples: number;
  readonly weight: Floats | null;
  readonly bias: Floats | null;
}

/** γ and β that a forward used for each sample, in a token. */
export interface SampleTables {
  /** γ of each sample and channel. With a batch renormalization it is γ·r. */
  readonly weight: Float64Array;
  /** β of each sample and channel. With a batch renormalization it is β + γ·d. */
  readonly bias: Float64Array;
  /** Whether γ was given for each sample, so that `gradWeight` has an element for each sample and channel. */
  readonly hasWeight: boolean;
  /** Whether β was given for each sample, so that `gradBias` has an element for each sample and channel. */
  readonly hasBias: boolean;
}

const NAMES = ["weight", "bias", "hasWeight", "hasBias"] as const;

/** Reads the tables of a token whose first axis are its samples. */
export function readSampleTables(
  value: unknown,
  { outer, channels, inner, shape, xIsOutput }: Pick<Saved, "outer" | "channels" | "inner" | "shape" | "xIsOutput">,
): SampleTables | null {
  if (value === null) return null;
  const [samples = 0] = shape;
  if (xIsOutput || (outer * inner > 0 && outer % samples !== 0))
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved.conditional" does not fit the token that it is in`);
  const given = readOptions(value, NAMES, "saved.conditional");
  const table = (name: "weight" | "bias"): Float64Array =>
    checkData(`saved.conditional.${name}`, given[name], "float64", samples * channels) as Float64Array;
  return {
    weight: table("weight"),
    bias: table("bias"),
    hasWeight: checkBoolean("saved.conditional.hasWeight", given.hasWeight),
    hasBias: checkBoolean("saved.conditional.hasBias", given.hasBias),
  };
}

/** The number of elements of the gradient of γ or β: one per channel, or one per sample and channel. */
export function gradLengthOf(
  { conditional, virtualBatches, channels, shape }: Saved,
  name: "hasWeight" | "hasBias",
): number {
  const tables = virtualBatches ? virtualBatches[0]!.conditional : conditional;
  return tables?.[name] ? shape[0]! * channels : channels;
}

/** A function that makes views of the samples of an array, each of which has so many elements. */
export function samplesOf<T extends Data | null>(data: T, each: number): (sample: number) => T {
  if (!data) return () => null as T;
  const partOf = partsOf(data);
  return (sample) => partOf(sample * each, each) as T;
}
