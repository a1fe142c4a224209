// The keys of a state: which of them are a layer's entries, and what a message says where they do not fit.
import { describe, isRecord } from "../base/check.js";
import { typeError } from "../base/errors.js";
import { ourName } from "../base/other-names.js";

/** The keys by which a state and a layer differ, as torch's `load_state_dict` returns them. */
export interface IncompatibleKeys {
  /** The entries that the layer has and the state lacks, but a counter may be absent. */
  readonly missingKeys: readonly string[];
  /** The entries that the state has and the layer lacks. With a prefix, only keys that begin with it are listed. */
  readonly unexpectedKeys: readonly string[];
}

/** The names of a layer's entries. */
export interface Names<N extends string = string> {
  readonly required: readonly N[];
  /** What a state may lack. */
  readonly optional: readonly string[];
}

/** All entries of an object or a Map, each read once. An entry that is undefined is absent. */
export function readEntries(state: unknown): ReadonlyMap<string, unknown> {
  if (!isRecord(state))
    throw typeError("ERR_BATCHNORM_TYPE", `"state" expected an object or a Map, got ${describe(state)}`);
  const isMap = Object.prototype.toString.call(state) === "[object Map]"; // of any realm, and behind a proxy
  const entries = isMap ? entriesOfMap(state as ReadonlyMap<unknown, unknown>) : Object.entries(state);
  return new Map(entries.filter(([, value]) => value !== undefined));
}

/** Another object may claim to be a Map, and the methods of Map do not reach through a proxy. */
function entriesOfMap(map: ReadonlyMap<unknown, unknown>): [string, unknown][] {
  try {
    return Array.from(map, ([key, value]) => [typeof key === "string" ? key : describe(key), value]);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw typeError("ERR_BATCHNORM_TYPE", `"state" cannot be read: ${error.message}`);
  }
}

export function compareKeys(
  { required, optional }: Names,
  entries: ReadonlyMap<string, unknown>,
  prefix: string,
): IncompatibleKeys {
  const own = new Set([...required, ...optional].map((name) => prefix + name));
  return {
    missingKeys: required.map((name) => prefix + name).filter((key) => !entries.has(key)),
    unexpectedKeys: [...entries.keys()].filter((key) => key.startsWith(prefix) && !own.has(key)),
  };
}

const quoted = (keys: readonly string[]): string => keys.map((key) => JSON.stringify(key)).join(", ");

/** What does not fit, after what to do about it. */
export function mismatch(
  names: Names,
  entries: ReadonlyMap<string, unknown>,
  prefix: string,
  { missingKeys, unexpectedKeys }: IncompatibleKeys,
): string {
  const found = names.required.length - missingKeys.length;
  const absent = [...names.required, ...names.optional].map((name) => prefix + name).filter((key) => !entries.has(key));
  const parts = [
    ...prefixHints(names.required, found, [...entries.keys()]),
    ...(found === 0 ? nestedHints(names.required, entries) : []),
    ...aliasHints(prefix, absent, unexpectedKeys),
    ...lackHints(unexpectedKeys.map((key) => key.slice(prefix.length))),
    ...(missingKeys.length > 0 ? [`missing: ${quoted(missingKeys)}`] : []),
    ...(unexpectedKeys.length > 0 ? [`unexpected: ${quoted(unexpectedKeys)}`] : []),
  ];
  return `the state does not fit the layer: ${parts.join("; ")}`;
}

/** Prefixes under which the state has more of the layer's entries than the `found` ones under the prefix given. */
function prefixHints(required: readonly string[], found: number, keys: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const key of keys) {
    const name = required.find((each) => key.endsWith(`.${each}`) || key.endsWith(`/${each}`));
    if (name === undefined) continue;
    const prefix = key.slice(0, -name.length);
    counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  if (most <= found) return [];
  const best = [...counts].filter(([, count]) => count === most).map(([prefix]) => prefix);
  return [best.length > 1 ? `pass one of these as prefix: ${quoted(best)}` : `pass { prefix: ${quoted(best)} }`];
}

/** Entries that are states themselves, as in a checkpoint { state_dict, epoch }. */
function nestedHints(required: readonly string[], entries: ReadonlyMap<string, unknown>): string[] {
  const isState = (value: unknown): boolean =>
    isRecord(value) &&
    Object.keys(value).some((key) => required.some((name) => key === name || key.endsWith(`.${name}`)));
  const [key] = [...entries].find(([, value]) => isState(value)) ?? [];
  return key === undefined ? [] : [`pass what is in ${JSON.stringify(key)}`];
}

/** Names that mean entries which the state lacks. */
function aliasHints(prefix: string, absent: readonly string[], unexpected: readonly string[]): string[] {
  const found = unexpected.flatMap((key) => {
    const last = /([^./]*?)(?::\d+)?$/.exec(key)![1]!; // "moving_mean" of "batch_normalization/moving_mean:0"
    const name = ourName(last)?.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const isOther = last !== name && absent.includes(`${prefix}${name}`);
    return isOther ? [`"${key}" to "${prefix}${name}"`] : [];
  });
  return found.length === 0 ? [] : [`rename ${found.join(", ")}`];
}

/** Entries that other layers have. */
function lackHints(unexpected: readonly string[]): string[] {
  const parameters = unexpected.filter((name) => name === "weight" || name === "bias");
  const hints = parameters.map((name) => `the layer was made without ${name}`);
  const statistics = ["running_mean", "running_var", "num_batches_tracked", "num_batches_skipped"];
  return unexpected.some((name) => statistics.includes(name))
    ? [...hints, "the layer was made with trackRunningStats: false"]
    : hints;
}
