// `BatchNormalization`, a layer for TensorFlow.js. It extends the layer of tf.layers.batchNormalization, whose constructor,
// weights and config it so has, and computes in its place.
import { describe } from "../../base/check.js";
import { rangeError, typeError } from "../../base/errors.js";
import type { BatchNorm } from "../../layer/batch-norm.js";
import { checkInput, movedOf, normalize, type Call } from "./normalize.js";
import { batchNormOf, checkNames, readSettings, type Settings, type TfjsExtras } from "./settings.js";
import {
  originalOf,
  type LayerVariable,
  type OriginalClass,
  type OriginalLayer,
  type Tensor,
  type Tensorflow,
  type TensorflowLayers,
} from "./tensorflow.js";

/** The name in a saved model of what TensorFlow.js has too, so that it loads there. */
const PLAIN_NAME = "BatchNormalization";

/** The name of a layer with `renorm` or `virtualBatchSize`: without this library, loading must fail and not train otherwise. */
const OWN_NAME = "batchnorm>BatchNormalization";

/** The layer, as this room knows it. */
export type NormLayer = OriginalLayer & TfjsExtras;

export interface LayerClasses {
  /** The class of tf.layers.batchNormalization, which is not exported. */
  readonly Original: OriginalClass;
  readonly BatchNormalization: OriginalClass;
}

function onlyTensor(inputs: unknown): unknown {
  if (!Array.isArray(inputs)) return inputs;
  if (inputs.length === 1) return inputs[0];
  throw rangeError("ERR_BATCHNORM_VALUE", `"inputs" expected one tensor, got ${inputs.length}`);
}

function isTraining(kwargs: unknown): boolean {
  if (kwargs === undefined || kwargs === null) return false;
  if (typeof kwargs === "object") return Boolean((kwargs as { training?: unknown }).training);
  throw typeError("ERR_BATCHNORM_TYPE", `"kwargs" expected an object, got ${describe(kwargs)}`);
}

/** What computes for a layer, as long as its settings stay. */
interface Computing {
  readonly settings: Settings;
  readonly bn: BatchNorm;
}

const computing = new WeakMap<NormLayer, Computing>();

const SETTINGS = [
  "axis",
  "momentum",
  "epsilon",
  "renorm",
  "virtualBatchSize",
  "virtualBatches",
  "backend",
  "threads",
] as const;

/** Settings may be assigned to, as those of the original may. */
function computingOf(layer: NormLayer, channels: number): Computing {
  const known = computing.get(layer);
  const isSame = (name: (typeof SETTINGS)[number]): boolean => (layer[name] ?? undefined) === known!.settings[name];
  if (known?.bn.numFeatures === channels && SETTINGS.every(isSame)) return known;
  const settings = readSettings(Object.fromEntries(SETTINGS.map((name) => [name, layer[name]])));
  // The limits themselves, by which `isSame` knows them again.
  const kept = { ...settings, renorm: layer.renorm ?? undefined };
  const made = { settings: kept, bn: batchNormOf(channels, settings) };
  computing.set(layer, made);
  return made;
}

function read(variable: LayerVariable | null | undefined): Tensor | null {
  return variable?.read() ?? null;
}

/** What the layer's `call` does, under `tf.tidy`. */
function call(tf: Tensorflow, layer: NormLayer, inputs: unknown, kwargs: unknown): Tensor {
  const x = checkInput(tf, onlyTensor(inputs));
  const training = isTraining(kwargs);
  const [mean, variance] = [layer.movingMean.read(), layer.movingVariance.read()];
  const { bn, settings } = computingOf(layer, mean.shape[0]!);
  const operands = { x, gamma: read(layer.gamma), beta: read(layer.beta), mean, variance };
  const made: Call = { tf, bn, operands, settings, training };
  const y = normalize(made);
  if (training) {
    const moved = movedOf(made);
    layer.movingMean.write(moved.mean);
    layer.movingVariance.write(moved.variance);
  }
  return y;
}

/** Makes the class for a copy of TensorFlow.js, and registers it. */
export function layerClassesOf(tf: Tensorflow & TensorflowLayers): LayerClasses {
  const Original = originalOf(tf);

  class BatchNormalization extends Original {
    static readonly className: string = PLAIN_NAME;

    // Declared, not initialized: `replaceBatchNormalization` gives the class to layers that it did not construct.
    declare renorm?: TfjsExtras["renorm"];
    declare virtualBatchSize?: TfjsExtras["virtualBatchSize"];
    declare virtualBatches?: TfjsExtras["virtualBatches"];
    declare backend?: TfjsExtras["backend"];
    declare threads?: TfjsExtras["threads"];

    constructor(config: object = {}) {
      super(config);
      checkNames(config);
      const { renorm, virtualBatchSize, virtualBatches, backend, threads } = config as TfjsExtras;
      const { axis, momentum, epsilon } = this;
      const extras = readSettings({
        axis,
        momentum,
        epsilon,
        renorm,
        virtualBatchSize,
        virtualBatches,
        backend,
        threads,
      });
      this.renorm = extras.renorm;
      this.virtualBatchSize = extras.virtualBatchSize;
      this.virtualBatches = extras.virtualBatches;
      this.backend = extras.backend;
      this.threads = extras.threads;
    }

    override call(inputs: unknown, kwargs: unknown): unknown {
      return tf.tidy(() => call(tf, this, inputs, kwargs));
    }

    override getClassName(): string {
      return (this.renorm ?? this.virtualBatchSize ?? null) === null ? PLAIN_NAME : OWN_NAME;
    }

    override getConfig(): Record<string, unknown> {
      const { renorm, virtualBatchSize, virtualBatches } = this;
      return {
        ...super.getConfig(),
        ...(renorm && { renorm: { ...renorm } }),
        ...(virtualBatchSize && { virtualBatchSize, ...(virtualBatches && { virtualBatches }) }),
      };
    }
  }

  /** By the class that is registered a saved layer is found; the plain name stays the original's. */
  class Registered extends BatchNormalization {
    static override readonly className = OWN_NAME;
  }
  tf.serialization.registerClass(Registered);
  return { Original, BatchNormalization };
}
