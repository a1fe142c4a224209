// The command line of `npm run bench:threads`.
import { availableParallelism } from "node:os";
import {
  flag,
  integer,
  items,
  list,
  listOf,
  OptionError,
  readArguments,
  text,
} from "../../scripts/tools/command-line.js";
import { shapes, type NetworkShape } from "../shapes.js";

export interface ThreadOptions {
  readonly shapes: readonly NetworkShape[];
  readonly threads: readonly number[];
  readonly rounds: number;
  readonly inARow: number;
  readonly chromium: boolean;
  /** Other libraries take part. */
  readonly peers: boolean;
  readonly markdown: boolean;
}

const NAMES = shapes.map(({ name }) => name);
const DEFAULT = "A,B,E,I,L";

export const HELP = `Times WebAssembly on several threads beside one, in a shared arena.

Usage: npm run bench:threads -- [options]

  --chromium       in a cross-origin isolated page of Chromium, in the place of Node
  --peers          with --chromium: beside onnxruntime-web and TensorFlow.js on as many threads, after checking their
                   threads and results; the first run installs bench/peers/packages, half a gigabyte
  --markdown       with --peers: print the tables of docs/platforms.md too
  --only LIST      shapes, of ${NAMES.join(", ")} (default ${DEFAULT})
  --threads LIST   numbers of threads, one with --peers (default: as many as there are cores)
  --rounds N       rounds at most (default 15)
  --in-a-row N     calls of each layer in a round, without --peers (default 1: workers sleep before each)
  --help           this text
`;

const SPECIFICATION = {
  chromium: flag,
  peers: flag,
  markdown: flag,
  only: list,
  threads: list,
  rounds: text,
  "in-a-row": text,
  help: flag,
} as const;

/** The options in `args`, or null where help is asked for. @throws OptionError */
export function parseThreadOptions(args: readonly string[]): ThreadOptions | null {
  const given = readArguments(args, SPECIFICATION);
  if (given.help) return null;
  const { chromium = false, peers = false, markdown = false } = given;
  if (peers && !chromium) throw new OptionError("--peers needs --chromium; npm run bench:peers compares them in Node");
  if (markdown && !peers) throw new OptionError("--markdown needs --peers");
  const only = listOf("only", NAMES, given.only ?? [DEFAULT])!;
  const counts = items(given.threads ?? [String(availableParallelism())]);
  const threads = [...new Set(counts.map((value) => integer("threads", value, 1, 16)))];
  if (peers && threads.length > 1)
    throw new OptionError(`--threads must be one number with --peers, got "${counts.join()}"`);
  return {
    shapes: shapes.filter(({ name }) => only.includes(name)),
    threads,
    rounds: integer("rounds", given.rounds ?? "15", 1, 10_000),
    inARow: integer("in-a-row", given["in-a-row"] ?? "1", 1, 10_000),
    chromium,
    peers,
    markdown,
  };
}
