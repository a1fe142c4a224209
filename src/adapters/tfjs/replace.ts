// The batch normalizations of a model, replaced where they are.
import { describe } from "../../base/check.js";
import { typeError } from "../../base/errors.js";
import { readSettings, EXTRAS, type TfjsExtras } from "./settings.js";
import { readOptions } from "../../base/options.js";
import type { LayerClasses, NormLayer } from "./layer.js";

/** What is used of a layer: those that hold others are models and wrappers (TimeDistributed, Bidirectional). */
interface Holder {
  readonly layers?: readonly Holder[];
  readonly layer?: Holder;
  readonly forwardLayer?: Holder;
  readonly backwardLayer?: Holder;
  getClassName?(): string;
}

function heldBy({ layers = [], layer, forwardLayer, backwardLayer }: Holder): readonly Holder[] {
  return [...layers, layer, forwardLayer, backwardLayer].filter((one) => one !== undefined);
}

/** All layers of a model, each once: a layer may be shared. */
function allIn(holder: Holder, found: Set<Holder>): Set<Holder> {
  for (const held of heldBy(holder)) {
    if (found.has(held)) continue;
    found.add(held);
    allIn(held, found);
  }
  return found;
}

function checkOwn({ Original, BatchNormalization }: LayerClasses, layer: Holder): void {
  if (layer.getClassName?.() !== "BatchNormalization") return;
  if (layer instanceof Original || layer instanceof BatchNormalization) return;
  const hint = `it was made by another copy of TensorFlow.js than the one that bindTfjs was given`;
  throw typeError("ERR_BATCHNORM_TYPE", `"model" has a BatchNormalization of an unknown class: ${hint}`);
}

/**
 * Replaces the batch normalizations of a model. The graph of a model refers to a layer from many places: nodes, tensors,
 * tables of names, optimizers. So the object stays, with its weights and all its fields, and is given another class.
 */
export function replaceBatchNormalization(classes: LayerClasses, model: unknown, options: unknown): NormLayer[] {
  const given = readOptions(options, EXTRAS);
  const { renorm, virtualBatchSize, virtualBatches, backend, threads } = readSettings(given);
  if (model === null || typeof model !== "object" || !Array.isArray((model as Holder).layers)) {
    const isGraph = typeof model === "object" && model !== null && "executor" in model;
    const got = isGraph
      ? `a tf.GraphModel, which has no layers: convert the Keras model as "tfjs_layers_model"`
      : describe(model);
    throw typeError("ERR_BATCHNORM_TYPE", `"model" expected a tf.LayersModel, got ${got}`);
  }
  const layers = [...allIn(model, new Set())];
  for (const layer of layers) checkOwn(classes, layer);
  // Of exactly that class: a subclass of a user's has a call of its own.
  const found = layers.filter((layer) => layer.constructor === classes.Original) as (Holder & NormLayer)[];
  const extras: TfjsExtras = { renorm, virtualBatchSize, virtualBatches, backend, threads };
  for (const layer of found) {
    Object.setPrototypeOf(layer, classes.BatchNormalization.prototype);
    Object.assign(layer, extras);
  }
  return found;
}
