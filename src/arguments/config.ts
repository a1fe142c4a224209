// A layer's options, checked once: names, meanings and defaults are torch.nn.BatchNorm's; what
// differs has another name.
import { readActivation, type Activation } from "../values/activation.js";
import { readAxis, type ChannelAxes, type Layout } from "../base/axes.js";
import { checkBackendRequest, type BackendRequest } from "../backends/backend.js";
import { checkBoolean, checkInRange, checkInteger, checkOneOf, readOptions } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import { DTYPES, type DType } from "../base/types.js";

/** What to do in training with one value per channel, whose variance is 0. */
export type SingleValue = "error" | "allow" | "running" | "skip";

/** Options of a `BatchNorm` layer. */
export interface BatchNormOptions<D extends DType = DType> {
  /** Added to the variance, ≥ 0. Default 1e-5. */
  eps?: number;
  /**
   * Weight of the NEW batch in the running statistics, in [0, 1]: running = (1 − momentum)·running +
   * momentum·batch. null: cumulative mean, weight 1/numBatchesTracked. Default 0.1.
   */
  momentum?: number | null;
  /** Weight of the OLD running statistics, as keras and onnx name it: 1 − momentum. Excludes `momentum`. */
  decay?: number;
  /** Learnable γ and β. Default true. Excludes `weight` and `bias`. */
  affine?: boolean;
  /** Learnable γ alone. Default true. */
  weight?: boolean;
  /** Learnable β alone. Default true. */
  bias?: boolean;
  /** Keep running statistics for inference; without them eval uses the batch's own. Default true. */
  trackRunningStats?: boolean;
  /** Where the channels are: axis 1, the last, or all axes but the first. Default "channels-first". */
  layout?: Layout;
  /**
   * The channel axis itself, negative from the end; or adjacent axes in ascending order, whose coordinates are together
   * the channel, in row-major order. Excludes `layout`.
   */
  axis?: number | readonly number[];
  /** Element type of data; parameters and running statistics are float64 with float64, else float32. Default "float32". */
  dtype?: D;
  /** Applied to the normalized value, after a residual where there is one. Default "none". */
  activation?: Activation;
  /**
   * Training with one value per channel: "error" throws, as torch; "allow" normalizes it (y = β), as
   * keras, TensorFlow and ONNX; "running" normalizes with the running statistics, then moves their
   * mean (the variance of one value is unknown and stays); "skip" does so and updates nothing.
   */
  singleValue?: SingleValue;
  /** The layer owns its output and gradInput: the same arrays each call, valid until its next. Default false. */
  reuse?: boolean;
  /** Run on this backend or fail with BackendUnavailableError; default: the best that works here. */
  backend?: BackendRequest;
  /** Upper limit of native threads. Default: `BATCHNORM_THREADS`, else the cores this process may use. */
  threads?: number;
}

const NAMES = [
  "eps",
  "momentum",
  "decay",
  "affine",
  "weight",
  "bias",
  "trackRunningStats",
  "layout",
  "axis",
  "dtype",
  "activation",
  "singleValue",
  "reuse",
  "backend",
  "threads",
] as const satisfies readonly (keyof BatchNormOptions)[];

/** The options of a layer with every default filled in. */
export interface Config extends Resources {
  readonly eps: number;
  readonly momentum: number | null;
  readonly weight: boolean;
  readonly bias: boolean;
  readonly trackRunningStats: boolean;
  readonly axis: ChannelAxes;
  readonly dtype: DType;
  readonly activation: Activation;
  readonly singleValue: SingleValue;
  readonly reuse: boolean;
}

export function checkEps(value: unknown = 1e-5): number {
  return checkInRange("eps", value, 0, Number.MAX_VALUE);
}

/** What a call asks to run on. */
export interface Resources {
  readonly backend: BackendRequest | undefined;
  readonly threads: number | undefined;
}

export function readResources({ backend, threads }: Record<string, unknown>): Resources {
  return {
    backend: backend === undefined ? undefined : checkBackendRequest(backend),
    threads: threads === undefined ? undefined : checkInteger("threads", threads, 1),
  };
}

function exclusive(options: Record<string, unknown>, a: string, b: string): void {
  if (a in options && b in options) throw rangeError("ERR_BATCHNORM_OPTION", `"${a}" and "${b}" exclude each other`);
}

function readMomentum({ momentum = 0.1, decay }: Record<string, unknown>): number | null {
  if (decay !== undefined) return 1 - checkInRange("decay", decay, 0, 1);
  return momentum === null ? null : checkInRange("momentum", momentum, 0, 1);
}

export function readConfig(value: unknown): Config {
  const options = readOptions(value, NAMES);
  exclusive(options, "momentum", "decay");
  exclusive(options, "affine", "weight");
  exclusive(options, "affine", "bias");
  const { affine = true, trackRunningStats = true, reuse = false } = options;
  const { weight = affine, bias = affine, dtype = "float32", singleValue = "error" } = options;
  const config: Config = {
    eps: checkEps(options.eps),
    momentum: readMomentum(options),
    weight: checkBoolean("weight" in options ? "weight" : "affine", weight),
    bias: checkBoolean("bias", bias),
    trackRunningStats: checkBoolean("trackRunningStats", trackRunningStats),
    axis: readAxis(options),
    dtype: checkOneOf("dtype", dtype, DTYPES),
    activation: readActivation("activation", options.activation),
    singleValue: checkOneOf("singleValue", singleValue, ["error", "allow", "running", "skip"]),
    reuse: checkBoolean("reuse", reuse),
    ...readResources(options),
  };
  if (!config.trackRunningStats && (config.singleValue === "running" || config.singleValue === "skip")) {
    throw rangeError("ERR_BATCHNORM_OPTION", `"singleValue" "${config.singleValue}" needs "trackRunningStats"`);
  }
  return Object.freeze(config);
}
