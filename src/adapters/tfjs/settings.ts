// What the operation and the layer of TensorFlow.js are both told. Names and defaults are those of
// tf.layers.batchNormalization; what it has no word for is called as in `BatchNorm`.
import type { BackendRequest } from "../../backends/backend.js";
import { checkInRange, describe } from "../../base/check.js";
import { rangeError, typeError } from "../../base/errors.js";
import { readOptions } from "../../base/options.js";
import { BatchNorm } from "../../layer/batch-norm.js";
import type { RenormLimits } from "../../policies/renorm.js";
import type { VirtualBatches } from "../../policies/virtual-batches.js";

/** What `tf.layers.batchNormalization` has no option for. */
export interface TfjsExtras {
  /**
   * Batch renormalization (Ioffe 2017): the limits of r and d. They are plain numbers, because a model is saved with them.
   * Assign `layer.renorm` to change them during a training.
   */
  renorm?: RenormLimits | null | undefined;
  /** Ghost batch normalization (Hoffer et al. 2017): the samples of a virtual batch in training. */
  virtualBatchSize?: number | null | undefined;
  /** Which samples make up a virtual batch. The default is `"contiguous"`. It needs `virtualBatchSize`. */
  virtualBatches?: VirtualBatches | null | undefined;
  /** The backend of this library that computes. It is not saved with a model. The default is the best one here. */
  backend?: BackendRequest | null | undefined;
  /** The upper limit of native threads. It is not saved with a model. */
  threads?: number | null | undefined;
}

/** `TfjsExtras` as they were checked: undefined is absent. */
export interface Extras {
  readonly renorm: RenormLimits | undefined;
  readonly virtualBatchSize: number | undefined;
  readonly virtualBatches: VirtualBatches | undefined;
  readonly backend: BackendRequest | undefined;
  readonly threads: number | undefined;
}

export const EXTRAS = ["renorm", "virtualBatchSize", "virtualBatches", "backend", "threads"] as const;

export interface Settings extends Extras {
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
}

/** JSON has no Infinity: a saved model has null in its place. */
function readLimits(value: unknown): RenormLimits {
  if (typeof value === "function") {
    const hint = `assign "renorm" between batches, since a model is saved with it`;
    throw typeError("ERR_BATCHNORM_TYPE", `"renorm" expected { rMax, dMax }, got ${describe(value)}: ${hint}`);
  }
  const { rMax, dMax } = readOptions(value, ["rMax", "dMax"], "renorm");
  return {
    rMax: checkInRange("renorm.rMax", rMax === null ? Infinity : rMax, 1, Infinity),
    dMax: checkInRange("renorm.dMax", dMax === null ? Infinity : dMax, 0, Infinity),
  };
}

/** What is not checked here, the constructor of `BatchNorm` checks. */
function readExtras(given: Readonly<Record<string, unknown>>): Extras {
  const { renorm } = given;
  return {
    renorm: renorm === undefined || renorm === null ? undefined : readLimits(renorm),
    virtualBatchSize: (given["virtualBatchSize"] ?? undefined) as number | undefined,
    virtualBatches: (given["virtualBatches"] ?? undefined) as VirtualBatches | undefined,
    backend: (given["backend"] ?? undefined) as BackendRequest | undefined,
    threads: (given["threads"] ?? undefined) as number | undefined,
  };
}

/** Names of `BatchNorm`, and what a config calls them. TensorFlow.js ignores what it does not know. */
const CALLED: Readonly<Record<string, string>> = {
  eps: "epsilon",
  decay: "momentum",
  weight: "scale",
  bias: "center",
  layout: "axis",
  virtual_batch_size: "virtualBatchSize",
};

/** Rejects a config with a name of `BatchNorm` that is another one here. */
export function checkNames(config: object): void {
  const name = Object.keys(CALLED).find((other) => Object.hasOwn(config, other));
  if (name !== undefined)
    throw typeError("ERR_BATCHNORM_OPTION", `unknown option "${name}", did you mean "${CALLED[name]}"?`);
}

function readAxis(axis: unknown): number {
  if (typeof axis !== "number") {
    throw typeError("ERR_BATCHNORM_TYPE", `"axis" expected a number, got ${describe(axis)}`);
  }
  if (!Number.isSafeInteger(axis)) throw rangeError("ERR_BATCHNORM_VALUE", `"axis" expected an integer, got ${axis}`);
  return axis;
}

/** Checks settings: null and undefined are the defaults. */
export function readSettings(given: Readonly<Record<string, unknown>>): Settings {
  const settings = {
    axis: readAxis(given["axis"] ?? -1),
    momentum: checkInRange("momentum", given["momentum"] ?? 0.99, 0, 1),
    epsilon: checkInRange("epsilon", given["epsilon"] ?? 1e-3, 0, Number.MAX_VALUE),
    ...readExtras(given),
  };
  batchNormOf(1, settings);
  return settings;
}

/** The layer of this library that computes for one of TensorFlow.js. */
export function batchNormOf(channels: number, settings: Settings): BatchNorm {
  const { axis, momentum, epsilon: eps, renorm, virtualBatchSize, virtualBatches, backend, threads } = settings;
  return new BatchNorm(channels, {
    convention: "keras",
    axis,
    momentum,
    eps,
    renorm,
    virtualBatchSize,
    virtualBatches,
    backend,
    threads,
  });
}
