// Command lines of the benchmarks and the example: arguments read, and a mistake told in one line.
import { parseArgs, type ParseArgsConfig } from "node:util";

/** Kinds of options: one value, several, none. */
export const text = { type: "string" } as const;
export const list = { type: "string", multiple: true } as const;
export const flag = { type: "boolean" } as const;

/** The user's mistake, in one line. */
export class OptionError extends Error {}

type Values<S extends NonNullable<ParseArgsConfig["options"]>> = ReturnType<typeof parseArgs<{ options: S }>>["values"];

/** What `args` give of the options specified. */
export function readArguments<S extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: S,
): Values<S> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).split("\n");
    throw new OptionError(line);
  }
}

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
