// The command lines of `npm run fuzz` and `npm run soak`.
import { OptionError, flag, integer, readArguments, text } from "../../scripts/tools/command-line.js";

export interface Options {
  readonly seconds: number;
  readonly seed: number;
}

const DEFAULT_SECONDS = 60;
export const MOST_SEED = 2 ** 31 - 1;

export const LINES = `  --seconds N   how long (default ${DEFAULT_SECONDS})
  --seed S      the first seed, from 0 to ${MOST_SEED} (default: a random one)
  --help        this text
`;

const SPECIFICATION = { seconds: text, seed: text, help: flag } as const;

/** The options in `args`, or null where help is asked for. */
export function parseOptions(args: readonly string[]): Options | null {
  const { seconds, seed, help } = readArguments(args, SPECIFICATION);
  if (help) return null;
  return {
    seconds: integer("seconds", seconds ?? String(DEFAULT_SECONDS), 1, 86_400),
    seed: seed === undefined ? Math.floor(Math.random() * MOST_SEED) : integer("seed", seed, 0, MOST_SEED),
  };
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
