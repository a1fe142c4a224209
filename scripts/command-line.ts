// Command lines of the benchmark and the example: arguments read, and a mistake told in one line.
import { parseArgs, type ParseArgsConfig } from "node:util";

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
