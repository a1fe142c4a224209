// The options of batch normalizations in a model's configuration, which Keras writes as JSON beside the weights.
import { parseMembers, type Json, type JsonObject } from "./json-text.js";

/** Models of models of models nest deeper than other JSON. */
const MOST_DEPTH = 64;

/** What a file of Keras says about a batch normalization: options of the layer. */
export interface KerasOptions {
  /** ε, which Keras calls `epsilon`. */
  readonly eps?: number;
  /** The weight of the old statistics, which Keras calls `momentum`. */
  readonly decay?: number;
  /** The channel axis, where it is not the last one. */
  readonly axis?: number;
  /** Whether the layer has γ, which Keras calls `scale`. */
  readonly weight?: boolean;
  /** Whether the layer has β, which Keras calls `center`. */
  readonly bias?: boolean;
}

/** A batch normalization in a configuration. */
export interface KerasLayer {
  readonly name: string;
  /** Where its variables are in a file of Keras 3. */
  readonly path: string;
  readonly options: KerasOptions;
}

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const isObject = (value: Json | undefined): value is JsonObject => value instanceof Map;

/** How Keras names layers in files, by their classes: `BatchNormalization` is `batch_normalization`. */
function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** `axis` is -1, or a list of one axis. Keras 2 has the axis of the built layer there. */
function axisOf(value: Json | undefined): { axis?: number } {
  const [axis] = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return typeof axis === "number" && axis !== -1 ? { axis } : {};
}

/** Its momentum is the weight of the old statistics, which is `decay` in any convention. */
function optionsOf(config: JsonObject): KerasOptions {
  const [epsilon, momentum] = [config.get("epsilon"), config.get("momentum")];
  return {
    ...(typeof epsilon === "number" && { eps: epsilon }),
    ...(typeof momentum === "number" && { decay: momentum }),
    weight: config.get("scale") !== false,
    bias: config.get("center") !== false,
    ...axisOf(config.get("axis")),
  };
}

function* layersOf(layer: Json | undefined, path: string): Generator<KerasLayer> {
  if (!isObject(layer)) return;
  const [className, config] = [layer.get("class_name"), layer.get("config")];
  if (!isObject(config)) return;
  if (className === "BatchNormalization") yield { name: textOf(config.get("name")), path, options: optionsOf(config) };
  // A wrapper such as TimeDistributed has its layer in a field.
  yield* layersOf(config.get("layer"), `${path}layer/`);
  const layers = config.get("layers");
  if (!Array.isArray(layers)) return;
  const times = new Map<string, number>();
  for (const inner of layers as readonly Json[]) {
    const name = isObject(inner) ? snakeCase(textOf(inner.get("class_name"))) : "";
    const time = times.get(name) ?? 0;
    times.set(name, time + 1);
    yield* layersOf(inner, `${path}layers/${name}${time === 0 ? "" : `_${time}`}/`);
  }
}

/** All batch normalizations of a configuration. */
export function readConfig(text: string): readonly KerasLayer[] {
  const model = parseMembers<Json>(text, (_, value) => value, MOST_DEPTH);
  return [...layersOf(model, "")];
}
