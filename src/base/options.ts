// How objects of a caller are read: each property once, and none of `Object.prototype`, which some other code of the
// program may have polluted.
import { describe, tagOf } from "./check.js";
import { typeError } from "./errors.js";

/** What other libraries call our options. `readOptions` names ours where it is among the allowed ones. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["gamma", "weight"],
  ["scale", "weight"],
  ["beta", "bias"],
  ["center", "bias"],
  ["offset", "bias"],
  ["epsilon", "eps"],
  ["varianceepsilon", "eps"],
  ["mean", "runningMean"],
  ["movingmean", "runningMean"],
  ["var", "runningVar"],
  ["variance", "runningVar"],
  ["movingvariance", "runningVar"],
  ["dataformat", "layout"],
  ["format", "layout"],
  ["dim", "axis"],
  ["inplace", "out"],
  ["output", "out"],
  ["gradinput", "out"],
  ["fusedactivation", "activation"],
  ["type", "dtype"],
  ["alpha", "slope"],
  ["negativeslope", "slope"],
  ["weights", "sampleWeights"],
  ["sampleweight", "sampleWeights"],
]);

/** The allowed option that a caller may have meant, as it is spelt here. */
function meant(key: string, allowed: readonly string[]): string | undefined {
  const plain = key.replaceAll(/[_-]/g, "").toLowerCase();
  const other = ELSEWHERE.get(plain);
  return allowed.find((name) => name.toLowerCase() === plain) ?? allowed.find((name) => name === other);
}

/** Instances have no prototype to inherit from, and unlike those of `Object.create(null)` they are fast. */
const Options = function () {} as unknown as new () => Record<string, unknown>;
Options.prototype = Object.create(null) as object;

/** Copies the options' own properties and reads each once. A key outside `allowed` is an error. */
export function readOptions(value: unknown, allowed: readonly string[], name = "options"): Record<string, unknown> {
  const options = new Options();
  if (value === undefined) return options;
  if (typeof value !== "object" || value === null || Array.isArray(value) || tagOf(value) !== undefined) {
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected an object, got ${describe(value)}`);
  }
  for (const key of Object.keys(value)) {
    if (!allowed.includes(key)) throw unknownOption(key, allowed);
    const given = (value as Record<string, unknown>)[key];
    if (given !== undefined) options[key] = given;
  }
  return options;
}

function unknownOption(key: string, allowed: readonly string[]): TypeError {
  const ours = meant(key, allowed);
  const hint = ours === undefined ? `expected one of ${allowed.join(", ")}` : `did you mean "${ours}"?`;
  return typeError("ERR_BATCHNORM_OPTION", `unknown option "${key}", ${hint}`);
}

/** A property of an object of a caller, its own or of its class. What `Object.prototype` has does not count. */
export function fieldOf(value: object, key: string): unknown {
  if (!Object.hasOwn(Object.prototype, key)) return (value as Record<string, unknown>)[key];
  let holder: object | null = value;
  while (holder !== null && holder !== Object.prototype) {
    if (Object.hasOwn(holder, key)) return (value as Record<string, unknown>)[key];
    holder = Object.getPrototypeOf(holder) as object | null;
  }
  return undefined;
}
