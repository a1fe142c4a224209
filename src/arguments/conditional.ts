// γ and β for each sample, as a forward of a layer or of the functions is given them.
import { KIND, checkArray, lengthOf } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import { floatTypeOf, type DType, type Floats, type ParametersOf } from "../base/types.js";
import type { Plan } from "../values/plan.js";
import type { GivenTables } from "../values/sample-tables.js";

/** γ and β of one forward of a layer. */
export interface ConditionalOptions<D extends DType> {
  /**
   * γ for each sample, in the place of that of the layer: N·C elements, with a row of one element per channel for each
   * index of the first axis. Conditional batch normalization (Dumoulin et al. 2017, de Vries et al. 2017) computes it
   * from a class, a style or a text. The statistics remain those of the whole batch. `gradWeight` has its length.
   */
  weight?: ParametersOf<D> | null | undefined;
  /** β for each sample, in the place of that of the layer: N·C elements. `gradBias` has its length. */
  bias?: ParametersOf<D> | null | undefined;
}

export const CONDITIONAL = ["weight", "bias"] as const;
type Name = (typeof CONDITIONAL)[number];

/** A table of N·C elements. */
function checkTable(name: Name, value: unknown, { dtype, channels, samples, shape }: Plan): Floats | null {
  if (value === undefined || value === null) return null;
  if (samples === null) {
    const text = `[${shape.join(", ")}]`;
    const message = `a "${name}" for each sample needs samples at the first axis of ${text}, not channels`;
    throw rangeError("ERR_BATCHNORM_OPTION", message);
  }
  const table = checkArray(name, value, [KIND[floatTypeOf(dtype)]]);
  const [length, expected] = [lengthOf(table), samples * channels];
  if (length === expected) return table;
  throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length ${expected} (samples × channels), got ${length}`);
}

/** The tables of a layer's forward, or null if the layer's own parameters serve. */
export function readConditional(plan: Plan, { weight, bias }: Record<string, unknown>): GivenTables | null {
  if (weight === undefined && bias === undefined) return null;
  const tables = { weight: checkTable("weight", weight, plan), bias: checkTable("bias", bias, plan) };
  return tables.weight || tables.bias ? { samples: plan.samples!, ...tables } : null;
}

/** A parameter of a function: one element per channel, or for each sample too. */
interface Parameter {
  readonly ofChannels: Floats | null;
  readonly ofSamples: Floats | null;
}

function readParameter(name: Name, value: unknown, { dtype, channels, samples }: Plan): Parameter {
  if (value === undefined || value === null) return { ofChannels: null, ofSamples: null };
  const table = checkArray(name, value, [KIND[floatTypeOf(dtype)]]);
  const length = lengthOf(table);
  if (length === channels) return { ofChannels: table, ofSamples: null };
  if (samples !== null && length === samples * channels) return { ofChannels: null, ofSamples: table };
  const more = samples === null ? "" : ` (channels) or ${samples * channels} (samples × channels)`;
  throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length ${channels}${more}, got ${length}`);
}

/** γ and β of a function: those of the channels, and those of each sample. */
export function readParameters(
  plan: Plan,
  { weight, bias }: Record<string, unknown>,
): { readonly weight: Floats | null; readonly bias: Floats | null; readonly conditional: GivenTables | null } {
  const [w, b] = [readParameter("weight", weight, plan), readParameter("bias", bias, plan)];
  const isConditional = w.ofSamples !== null || b.ofSamples !== null;
  const conditional = isConditional ? { samples: plan.samples!, weight: w.ofSamples, bias: b.ofSamples } : null;
  return { weight: w.ofChannels, bias: b.ofChannels, conditional };
}
