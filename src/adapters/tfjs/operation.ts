// `batchNorm` of tensors, without a layer.
import { checkBoolean, describe } from "../../base/check.js";
import { rangeError, typeError } from "../../base/errors.js";
import { readOptions } from "../../base/options.js";
import { axisOf, checkInput, movedOf, normalize, normalizeLater, type Call } from "./normalize.js";
import { EXTRAS, batchNormOf, readSettings, type TfjsExtras } from "./settings.js";
import { isTensor, isVariable, type Tensor, type Tensorflow, type Variable } from "./tensorflow.js";

/** The options of `batchNorm` and `batchNormAsync`. `T` is a tensor of TensorFlow.js. */
export interface TfjsBatchNormOptions<T = unknown> extends TfjsExtras {
  /**
   * Whether to normalize with the statistics of x, which moves the moving statistics. The default is false: x is
   * normalized with the moving statistics.
   */
  training?: boolean | undefined;
  /** γ, one element per channel. Without it γ is 1. */
  gamma?: T | null | undefined;
  /** β, one element per channel. Without it β is 0. */
  beta?: T | null | undefined;
  /** The moving mean. Inference needs it. In training it must be a `tf.Variable`, which is assigned to. */
  movingMean?: T | null | undefined;
  /** The moving variance. Inference needs it. In training it must be a `tf.Variable`, which is assigned to. */
  movingVariance?: T | null | undefined;
  /** The channel axis. A negative one counts from the end. The default is −1. */
  axis?: number | undefined;
  /** The weight of the OLD statistics, as everywhere in Keras. The default is 0.99. */
  momentum?: number | undefined;
  /** ε, which is added to the variance. The default is 1e-3. */
  epsilon?: number | undefined;
}

const TABLES = ["gamma", "beta", "movingMean", "movingVariance"] as const;
const OPTIONS = ["training", ...TABLES, "axis", "momentum", "epsilon", ...EXTRAS];

function checkTable(name: string, value: unknown, channels: number): Tensor | null {
  if (value === undefined || value === null) return null;
  if (!isTensor(value)) throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a tensor, got ${describe(value)}`);
  if (value.dtype !== "float32")
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a float32 tensor, got ${value.dtype}`);
  const { shape } = value;
  if (shape.length === 1 && shape[0] === channels) return value;
  throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected shape [${channels}], got [${shape.join(", ")}]`);
}

function checkVariable(name: string, value: Tensor | null): Variable | null {
  if (value === null || isVariable(value)) return value;
  throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a tf.Variable in training, got a tensor`);
}

/** A call, and the variables that it moves. */
interface Prepared {
  readonly call: Call;
  readonly moving: { readonly mean: Variable; readonly variance: Variable } | null;
}

function prepare(tf: Tensorflow, given: unknown, value: unknown): Prepared {
  const options = readOptions(value, OPTIONS);
  const training = checkBoolean("training", options["training"] ?? false);
  const settings = readSettings(options);
  const x = checkInput(tf, given);
  const channels = x.shape[axisOf(x, settings)]!;
  const [gamma, beta, mean, variance] = TABLES.map((name) => checkTable(name, options[name], channels)) as [
    Tensor | null,
    Tensor | null,
    Tensor | null,
    Tensor | null,
  ];
  if ((mean === null) !== (variance === null))
    throw rangeError("ERR_BATCHNORM_OPTION", `"movingMean" and "movingVariance" need each other`);
  if (mean === null && (!training || settings.renorm)) {
    const what = training ? `"renorm" needs` : `inference needs`;
    throw rangeError("ERR_BATCHNORM_OPTION", `${what} "movingMean" and "movingVariance"`);
  }
  const call = {
    tf,
    bn: batchNormOf(channels, settings),
    operands: { x, gamma, beta, mean, variance },
    settings,
    training,
  };
  if (!training || mean === null) return { call, moving: null };
  const moving = { mean: checkVariable("movingMean", mean)!, variance: checkVariable("movingVariance", variance)! };
  return { call, moving };
}

function move({ call, moving }: Prepared): void {
  if (!moving) return;
  const { mean, variance } = movedOf(call);
  moving.mean.assign(mean);
  moving.variance.assign(variance);
}

/** Normalizes x, with gradients. */
export function batchNorm(tf: Tensorflow, x: unknown, options: unknown): Tensor {
  return tf.tidy(() => {
    const prepared = prepare(tf, x, options);
    const y = normalize(prepared.call);
    move(prepared);
    return y;
  });
}

/** Normalizes x on any backend, without gradients. */
export async function batchNormAsync(tf: Tensorflow, x: unknown, options: unknown): Promise<Tensor> {
  const prepared = prepare(tf, x, options);
  const { operands } = prepared.call;
  try {
    const y = await normalizeLater(prepared.call);
    tf.tidy(() => move(prepared));
    return y;
  } finally {
    if (operands.x !== x) operands.x.dispose(); // the cast of x
  }
}
