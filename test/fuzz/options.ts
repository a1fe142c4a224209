// The command lines of `npm run fuzz` and `npm run soak`.
import { random } from "../../src/verify/data.js";
import { OptionError, flag, integer, readArguments, text } from "../../scripts/tools/command-line.js";

export interface Options {
  readonly seconds: number;
  readonly seed: number;
  /** Of a hundred cases, how many make asynchronous calls. */
  readonly async: number;
}

const DEFAULT_SECONDS = 60;
/** These take twenty times as long as the others, so that they have half of the time. */
const DEFAULT_ASYNC = 5;
export const MOST_SEED = 2 ** 31 - 1;

export const LINES = `  --seconds N   how long (default ${DEFAULT_SECONDS})
  --seed S      the first seed, from 0 to ${MOST_SEED} (default: a random one)
  --async N     of a hundred cases, how many make asynchronous calls (default ${DEFAULT_ASYNC})
  --help        this text
`;

const SPECIFICATION = { seconds: text, seed: text, async: text, help: flag } as const;

/** The options in `args`, or null where help is asked for. */
export function parseOptions(args: readonly string[]): Options | null {
  const { seconds, seed, async: share, help } = readArguments(args, SPECIFICATION);
  if (help) return null;
  return {
    seconds: integer("seconds", seconds ?? String(DEFAULT_SECONDS), 1, 86_400),
    seed: seed === undefined ? Math.floor(Math.random() * MOST_SEED) : integer("seed", seed, 0, MOST_SEED),
    async: integer("async", share ?? String(DEFAULT_ASYNC), 0, 100),
  };
}

/** Whether the case of a seed makes asynchronous calls, if so many of a hundred do. */
export function isAsync(seed: number, share: number): boolean {
  return 100 * random(~seed)() < share;
}

/** The command that begins with the case of a seed. */
export function again(seed: number, share: number): string {
  return `npm run fuzz -- --seed ${seed} --seconds 1 --async ${isAsync(seed, share) ? 100 : 0}`;
}

/** Runs a program of these options; a mistake is one line and code 2. */
export async function main(help: string, run: (options: Options) => Promise<number> | number): Promise<void> {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options) process.exitCode = await run(options);
    else process.stdout.write(help);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}
