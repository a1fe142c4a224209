// How objects of a caller are read: each property once, and none of `Object.prototype`, which some other code of the
// program may have polluted.
import { describe, isRecord } from "./check.js";
import { typeError } from "./errors.js";
import { meant } from "./other-names.js";

/** Instances have no prototype to inherit from, and unlike those of `Object.create(null)` they are fast. */
const Options = function () {} as unknown as new () => Record<string, unknown>;
Options.prototype = Object.create(null) as object;

/** Copies the options' own properties and reads each once. A key outside `allowed` is an error. */
export function readOptions(value: unknown, allowed: readonly string[], name = "options"): Record<string, unknown> {
  const options = new Options();
  if (value === undefined) return options;
  if (!isRecord(value)) throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected an object, got ${describe(value)}`);
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
