// The options of a layer as they are checked once, with all defaults filled in.
import type { CheckedActivation } from "../values/activation.js";
import { readActivation } from "../values/read-activation.js";
import { readAxis, type ChannelAxes } from "../base/axes.js";
import { checkBoolean, checkInRange, checkInteger, checkNumber, checkOneOf } from "../base/check.js";
import { readOptions } from "../base/options.js";
import { checkEps, readResources, type Resources } from "../arguments/resources.js";
import { rangeError } from "../base/errors.js";
import { readRenorm, type Renorm } from "../policies/renorm.js";
import { readCut, type Cut } from "../policies/virtual-batches.js";
import { DTYPES, type DType } from "../base/types.js";
import { CONVENTIONS, CONVENTION_NAMES, checkConvertible, type Convention, type ConventionRow } from "./convention.js";
import type { BatchNormOptions, OnNonFinite, SingleValue } from "./options.js";
import { checkMomentum, type Momentum } from "./running.js";

const NAMES = [
  "eps",
  "momentum",
  "decay",
  "correction",
  "convention",
  "affine",
  "weight",
  "bias",
  "trackRunningStats",
  "layout",
  "axis",
  "dtype",
  "activation",
  "singleValue",
  "onNonFinite",
  "renorm",
  "virtualBatchSize",
  "virtualBatches",
  "reuse",
  "maxPending",
  "backend",
  "threads",
] as const satisfies readonly (keyof BatchNormOptions)[];

/** The options of a layer with all defaults filled in. */
export interface Config extends Resources {
  readonly convention: Convention;
  readonly correction: 0 | 1;
  readonly onNonFinite: OnNonFinite;
  readonly renorm: Renorm | null;
  readonly cut: Cut | null;
  readonly eps: number;
  readonly momentum: Momentum;
  readonly weight: boolean;
  readonly bias: boolean;
  readonly trackRunningStats: boolean;
  readonly axis: ChannelAxes;
  readonly dtype: DType;
  readonly activation: CheckedActivation;
  readonly singleValue: SingleValue;
  readonly reuse: boolean;
  /** Infinity: any number. */
  readonly maxPending: number;
}

function exclusive(options: Record<string, unknown>, a: string, b: string): void {
  if (a in options && b in options) throw rangeError("ERR_BATCHNORM_OPTION", `"${a}" and "${b}" exclude each other`);
}

function readMomentum({ momentum, decay }: Record<string, unknown>, row: ConventionRow): Momentum {
  if (decay === undefined) return checkMomentum(momentum === undefined ? row.momentum : momentum);
  const old = checkInRange("decay", decay, 0, 1);
  return row.weighsOld ? old : 1 - old;
}

function readCorrection({ correction }: Record<string, unknown>, otherwise: { readonly correction: 0 | 1 }): 0 | 1 {
  if (correction === undefined) return otherwise.correction;
  const value = checkNumber("correction", correction);
  if (value === 0 || value === 1) return value;
  throw rangeError("ERR_BATCHNORM_VALUE", `"correction" expected 0 or 1, got ${value}`);
}

function readAxes(options: Record<string, unknown>, { layout }: ConventionRow): ChannelAxes {
  if (options.axis === undefined) options.layout ??= layout;
  return readAxis(options);
}

const configs = new WeakSet<object>();

/** Checks the options of a layer. */
export function readConfig(value: unknown): Config {
  if (typeof value === "object" && value !== null && configs.has(value)) return value as Config;
  const options = readOptions(value, NAMES);
  exclusive(options, "momentum", "decay");
  exclusive(options, "affine", "weight");
  exclusive(options, "affine", "bias");
  const { affine = true, trackRunningStats = true, reuse = false, onNonFinite = "propagate" } = options;
  const { weight = affine, bias = affine, dtype = "float32" } = options;
  const convention = checkOneOf("convention", options.convention ?? "torch", CONVENTION_NAMES);
  const row = CONVENTIONS[convention];
  const { eps = row.eps, singleValue = row.singleValue } = options;
  const config: Config = {
    convention,
    correction: readCorrection(options, row),
    onNonFinite: checkOneOf("onNonFinite", onNonFinite, ["propagate", "skip", "throw"]),
    eps: checkEps(eps),
    renorm: readRenorm(options.renorm),
    cut: readCut(options),
    momentum: readMomentum(options, row),
    weight: checkBoolean("weight" in options ? "weight" : "affine", weight),
    bias: checkBoolean("bias", bias),
    trackRunningStats: checkBoolean("trackRunningStats", trackRunningStats),
    axis: readAxes(options, row),
    dtype: checkOneOf("dtype", dtype, DTYPES),
    activation: readActivation("activation", options.activation),
    singleValue: checkOneOf("singleValue", singleValue, ["error", "allow", "running", "skip"]),
    reuse: checkBoolean("reuse", reuse),
    maxPending: options.maxPending === undefined ? Infinity : checkInteger("maxPending", options.maxPending, 1),
    ...readResources(options),
  };
  if (!config.trackRunningStats && (config.singleValue === "running" || config.singleValue === "skip")) {
    throw rangeError("ERR_BATCHNORM_OPTION", `"singleValue" "${config.singleValue}" needs "trackRunningStats"`);
  }
  if (config.renorm && !config.trackRunningStats)
    throw rangeError("ERR_BATCHNORM_OPTION", `"renorm" needs "trackRunningStats"`);
  return checked(config);
}

/** The options and the momentum of an equal layer with another convention. */
export function convertConfig(
  config: Config,
  momentum: Momentum,
  to: unknown,
  given: unknown,
): { readonly config: Config; readonly momentum: Momentum } {
  const convention = checkOneOf("convention", to, CONVENTION_NAMES);
  const options = readOptions(given, ["correction"]);
  const correction = readCorrection(options, config);
  checkConvertible({ ...config, momentum }, convention, "correction" in options);
  const { weighsOld } = CONVENTIONS[convention];
  const isSame = weighsOld === CONVENTIONS[config.convention].weighsOld || momentum === null;
  const other = (value: number): number => 1 - value;
  const converted = isSame
    ? momentum
    : typeof momentum === "function"
      ? (batch: number) => other(momentum(batch))
      : other(momentum);
  return { config: checked({ ...config, convention, correction, momentum: converted }), momentum: converted };
}

/** The options of another layer have been checked already. */
export function checked(config: Config): Config {
  configs.add(config);
  return Object.freeze(config);
}
