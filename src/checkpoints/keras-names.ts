// The batch normalizations in a file of Keras. Keras 3 numbers the variables of a layer, and Keras 2 names them.
import { rangeError } from "../base/errors.js";
import { TABLES } from "./entry-names.js";
import type { KerasLayer, KerasOptions } from "./keras-config.js";
import type { Checkpoint, CheckpointTensor } from "./tensors.js";

/** A file of Keras that was opened. */
export interface KerasCheckpoint extends Checkpoint {
  /**
   * What the file says about its batch normalizations, by their prefixes: ε, the momentum, the axis and which parameters
   * they have. `load` makes layers with these options.
   */
  readonly layers: ReadonlyMap<string, KerasOptions>;
}

/** The variables of a layer by Keras's names, in its order. It leaves out those that the layer has not. */
const NAMES = ["gamma", "beta", "moving_mean", "moving_variance"];

/** Of Keras 3 and the files of Keras 2 with numbers; and of the other files of Keras 2, with the number of the copy. */
const NUMBERED = /^((?:.*\/)?)vars\/(\d+)$/;
const NAMED = new RegExp(`^((?:.*/)?)(${NAMES.join("|")})(?::\\d+)?$`);
/** The names of layers that are taken for batch normalizations where nothing else says so. */
const LIKELY = /batch_?norm|(?:^|[^a-z])bn(?:[^a-z]|$)/i;

type Tensors = ReadonlyMap<string, CheckpointTensor>;

/** Whether these can be the variables of one batch normalization: vectors of one length. */
function areVectors(variables: readonly CheckpointTensor[]): boolean {
  const [length] = variables[0]!.shape;
  return variables.every(({ shape }) => shape.length === 1 && shape[0] === length);
}

/** Which tables the numbered variables are; empty if they are none. */
function tablesOf(
  prefix: string,
  variables: readonly CheckpointTensor[],
  known: KerasOptions | undefined,
): readonly (string | null)[] {
  if (prefix.startsWith("optimizer/") || !areVectors(variables)) return [];
  if (known !== undefined) {
    const own = TABLES.filter((name) => (name !== "weight" || known.weight) && (name !== "bias" || known.bias));
    return own.length === variables.length ? own : [];
  }
  if (variables.length === 4) return TABLES;
  const name = prefix.split("/").at(-2) ?? "";
  if (!LIKELY.test(name)) return [];
  // Of three, nothing says whether the first is γ or β.
  return variables.length === 2 ? TABLES.slice(2) : variables.length === 3 ? [null, ...TABLES.slice(2)] : [];
}

/** The numbered variables of each layer, in their order. */
function numbered(tensors: Tensors): ReadonlyMap<string, readonly CheckpointTensor[]> {
  const layers = new Map<string, CheckpointTensor[]>();
  for (const [name, tensor] of tensors) {
    const [, prefix, number] = NUMBERED.exec(name) ?? [];
    if (prefix === undefined) continue;
    if (!layers.has(prefix)) layers.set(prefix, []);
    layers.get(prefix)![Number(number) < tensors.size ? Number(number) : tensors.size] = tensor;
  }
  return new Map([...layers].filter(([, variables]) => Object.keys(variables).length === variables.length));
}

/** Keras 2.13 has another name for the folder of the layers. */
const plain = (path: string): string => path.replaceAll("_layer_checkpoint_dependencies/", "layers/");

const renamed = (tensor: CheckpointTensor, name: string): [string, CheckpointTensor] => [name, { ...tensor, name }];

/** Gives the variables of batch normalizations the names of torch. All other tensors keep theirs. */
export function withNames(tensors: Tensors, config: readonly KerasLayer[]): KerasCheckpoint {
  const layers = new Map<string, KerasOptions>();
  const names = new Map<string, string>();
  for (const [prefix, variables] of numbered(tensors)) {
    const known = config.find(({ path }) => path === plain(prefix))?.options;
    const tables = tablesOf(prefix, variables, known);
    tables.forEach((table, i) => table !== null && names.set(variables[i]!.name, prefix + table));
    if (tables.length > 0 && !tables.includes(null))
      layers.set(prefix, { ...known, weight: tables.includes("weight"), bias: tables.includes("bias") });
  }
  for (const name of tensors.keys()) {
    const [, prefix, variable] = NAMED.exec(name) ?? [];
    if (prefix === undefined || !isNamed(tensors, prefix)) continue;
    names.set(name, prefix + TABLES[NAMES.indexOf(variable!)]!);
    const parts = prefix.split("/").reverse();
    const known = config.find((layer) => parts.includes(layer.name))?.options;
    layers.set(prefix, {
      ...known,
      weight: hasNamed(tensors, prefix, "gamma"),
      bias: hasNamed(tensors, prefix, "beta"),
    });
  }
  const entries = [...tensors.values()].map((tensor) => renamed(tensor, names.get(tensor.name) ?? tensor.name));
  const byName = new Map(entries);
  if (byName.size !== entries.length)
    throw rangeError(
      "ERR_BATCHNORM_FILE",
      "the file expected the variables of a layer once, and has them under two names",
    );
  return { tensors: byName, metadata: new Map(), layers };
}

const hasNamed = (tensors: Tensors, prefix: string, name: string): boolean =>
  tensors.has(prefix + name) || tensors.has(`${prefix}${name}:0`);

/** Layer normalizations have γ and β too. */
const isNamed = (tensors: Tensors, prefix: string): boolean =>
  NAMES.slice(2).some((name) => hasNamed(tensors, prefix, name));
