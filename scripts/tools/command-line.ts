// Command lines of the benchmarks, the example and the checks: kinds of options, and values that must be of a kind.
import { UsageError as OptionError } from "../../src/cli/arguments.js";

export { UsageError as OptionError, readArguments } from "../../src/cli/arguments.js";

/** Kinds of options: one value, several, none. */
export const text = { type: "string" } as const;
export const list = { type: "string", multiple: true } as const;
export const flag = { type: "boolean" } as const;

export function integer(name: string, value: string, least: number, most: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (number >= least && number <= most) return number;
  throw new OptionError(`--${name} must be an integer from ${least} to ${most}, got "${value}"`);
}

/** Of "--x a,b --x c": a, b, c. */
export function items(values: readonly string[] | undefined): string[] {
  return (values ?? []).flatMap((value) => value.split(",")).map((value) => value.trim());
}

/** Those of `all` that are named; null where the option is absent. */
export function listOf<T extends string>(
  option: string,
  all: readonly T[],
  values: readonly string[] | undefined,
): T[] | null {
  if (!values) return null;
  const names = items(values);
  const unknown = names.find((name) => !all.some((one) => one === name));
  if (unknown !== undefined) throw new OptionError(`--${option} must be of ${all.join(", ")}, got "${unknown}"`);
  return all.filter((one) => names.includes(one));
}

export function path(name: string, value: string | undefined): string | null {
  if (value === "") throw new OptionError(`--${name} must name a ${name === "charts" ? "folder" : "file"}`);
  return value ?? null;
}
