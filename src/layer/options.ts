// The options of a layer. Names, meanings and defaults are those of torch.nn.BatchNorm. An option that differs from torch's
// has another name.
import type { Activation } from "../values/activation.js";
import type { AxisOptions } from "../base/axes.js";
import type { BackendRequest } from "../backends/backend.js";
import type { DType } from "../base/types.js";
import type { Renorm } from "../policies/renorm.js";
import type { VirtualBatches } from "../policies/virtual-batches.js";
import type { Convention } from "./convention.js";
import type { Momentum } from "./running.js";

/**
 * What a forward in training does if there is one value per channel. The variance of one value is 0, so it says nothing
 * about the data. With weights, one value per channel means one position of positive weight.
 *
 * - `"error"`: it throws `ERR_BATCHNORM_SINGLE_VALUE`, as torch does.
 * - `"allow"`: it normalizes the value with itself, so that y = β, as Keras, TensorFlow and ONNX do. The running
 *   variance moves towards 0.
 * - `"running"`: it normalizes with the running statistics. Then it updates the running mean and the counter of
 *   batches, but not the running variance.
 * - `"skip"`: it normalizes with the running statistics and updates nothing.
 */
export type SingleValue = "error" | "allow" | "running" | "skip";

/** See the option `onNonFinite`. */
export type OnNonFinite = "propagate" | "skip" | "throw";

/** The weight of a batch in the running statistics: `momentum` or `decay`, which exclude each other. */
export type MomentumOptions =
  | {
      /**
       * The weight of the NEW batch in the running statistics, from 0 to 1. The default is 0.1, as in torch. A forward
       * in training sets running = (1 − momentum)·running + momentum·batch.
       *
       * Keras, TensorFlow and ONNX call the weight of the OLD statistics momentum. Their 0.99 is `decay: 0.99` here, or
       * `momentum: 0.99` with their `convention`. With `momentum: 0.99` alone the running mean would be 99 % the last
       * batch.
       *
       * Weight 1 replaces the running statistics by those of the batch, even if they were NaN or infinite. Weight 0
       * keeps them. With null they are the mean over all batches so far: the weight is 1/numBatchesTracked, after the
       * batch is counted. A function returns the momentum of each batch, and gets its number: 1, 2 and so on.
       */
      momentum?: Momentum | undefined;
      /** It excludes `momentum`. */
      decay?: undefined;
    }
  | {
      /** It excludes `decay`. */
      momentum?: undefined;
      /**
       * The weight of the OLD running statistics, from 0 to 1: running = decay·running + (1 − decay)·batch. Keras,
       * TensorFlow and ONNX call it momentum. `decay: 0.99` is the same as `momentum: 0.01`.
       */
      decay?: number | undefined;
    };

/** Which parameters a layer has: `affine`, or `weight` and `bias`. They exclude each other. */
export type ParameterOptions =
  | {
      /** Whether the layer has the parameters γ and β. The default is true. It excludes `weight` and `bias`. */
      affine?: boolean | undefined;
      /** It excludes `affine`. */
      weight?: undefined;
      /** It excludes `affine`. */
      bias?: undefined;
    }
  | {
      /** It excludes `weight` and `bias`. */
      affine?: undefined;
      /** Whether the layer has γ. The default is true. Keras calls this option `scale`. */
      weight?: boolean | undefined;
      /** Whether the layer has β. The default is true. Keras calls this option `center`. */
      bias?: boolean | undefined;
    };

/**
 * The options of a `BatchNorm` layer. Defaults are those of torch.nn.BatchNorm. A wrong value throws
 * `ERR_BATCHNORM_VALUE`, a wrong kind `ERR_BATCHNORM_TYPE`, an unknown option `ERR_BATCHNORM_OPTION`.
 */
export type BatchNormOptions<D extends DType = DType> = LayerOptions<D> &
  MomentumOptions &
  ParameterOptions &
  AxisOptions;

/** The options of a layer that exclude no other. */
export interface LayerOptions<D extends DType> {
  /**
   * The framework whose defaults the layer has, and whose meaning of `momentum`. The default is `"torch"`. Every single
   * option can be given as well.
   */
  convention?: Convention | undefined;
  /**
   * What is taken off the count where the running variance is updated: 1 for Σ(x − mean)²/(n − 1), as in torch, or 0 for
   * Σ(x − mean)²/n, as in Keras and ONNX. The default is 1. Batches are normalized with the latter in any case.
   */
  correction?: 0 | 1 | undefined;
  /**
   * What a forward in training does if the mean or the variance of a channel is NaN or infinite.
   *
   * - `"propagate"`: the running statistics take it over, as in torch. This is the default.
   * - `"skip"`: the running statistics and the counter stay as they are. The output is the same.
   * - `"throw"`: it throws `ERR_BATCHNORM_NOT_FINITE` before anything is written.
   */
  onNonFinite?: OnNonFinite | undefined;
  /**
   * ε, which is added to the variance: a finite number that is not negative. The default is 1e-5. It may be 0. Then a
   * constant channel gives y = β and dx = 0, never NaN.
   */
  eps?: number | undefined;
  /** Whether the layer keeps running statistics. The default is true. Without them, `eval()` uses the batch's own. */
  trackRunningStats?: boolean | undefined;
  /**
   * Batch renormalization (Ioffe 2017), for small batches: y = γ·(x̂·r + d) + β with r = σ/σ_run within [1/rMax, rMax] and
   * d = (μ − μ_run)/σ_run within [−dMax, dMax], where σ = √(σ² + ε). Training then normalizes with the running statistics,
   * as far as the limits allow. r and d are made of the running statistics before the batch, and are constants in the
   * backward. Limits of 1 and 0 are batch normalization: the paper begins with them, and ends with 3 and 5. A function
   * returns the limits for each batch, and gets its number. It needs `trackRunningStats`.
   */
  renorm?: Renorm | undefined;
  /**
   * Ghost batch normalization (Hoffer et al. 2017): in training, a batch is cut into virtual batches of so many samples,
   * and each of them is normalized with its own statistics. Samples are the indices of the first axis. The last virtual
   * batch may be smaller. In inference nothing is cut. `momentum` and `renorm` functions are asked once for each forward.
   */
  virtualBatchSize?: number | undefined;
  /** Which samples make up a virtual batch. The default is `"contiguous"`. It needs `virtualBatchSize`. */
  virtualBatches?: VirtualBatches | undefined;
  /** The element type of x. The default is `"float32"`. */
  dtype?: D | undefined;
  /** The activation that is applied to the output. The default is `"none"`. */
  activation?: Activation | undefined;
  /** What to do in training with one value per channel. The default is `"error"`, as in torch. */
  singleValue?: SingleValue | undefined;
  /**
   * Whether the layer keeps its own arrays for the output and for `gradInput`. The default is false. With true, each
   * call returns the same array, which is valid until the next call. Allocating a large array can take longer than
   * normalizing. An asynchronous call returns an array that no other call writes to before `release` gives it back.
   */
  reuse?: boolean | undefined;
  /**
   * The most asynchronous calls of the layer that may wait or run, a positive integer. One more is rejected with
   * `ERR_BATCHNORM_BUSY`. By default any number may wait.
   */
  maxPending?: number | undefined;
  /**
   * The backend to run on. If it cannot be used, calls throw a `BackendUnavailableError`. By default the environment
   * variable `BATCHNORM_BACKEND` decides, else the best backend that works here is used.
   */
  backend?: BackendRequest | undefined;
  /**
   * The upper limit of threads, a positive integer. Native kernels have several, and so has WebAssembly in a shared
   * arena and in asynchronous calls that make no new output. By default the environment variable `BATCHNORM_THREADS` decides, else all cores that this process may use. The result
   * has the same bits with any number of threads.
   */
  threads?: number | undefined;
}
