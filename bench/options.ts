// The command line: options, their defaults and limits, and the help text.
import { availableParallelism } from "node:os";
import type { DType } from "batchnorm";
import { OptionError, integer, items, listOf, path, readArguments } from "../scripts/command-line.js";
import { readSelection, SELECTABLE, type Selection } from "./selection.js";

export interface Options {
  readonly selection: Selection;
  readonly quick: boolean;
  readonly json: string | null;
  readonly compare: string | null;
  readonly threads: readonly number[];
  readonly dtypes: readonly DType[];
  /** null: the best on all shapes, and in the full run the others on few. */
  readonly backends: readonly string[] | null;
  readonly seconds: number;
  readonly launches: number;
}

// Preparation, bit checks and the least number of rounds come on top of what is divided: 15 minutes and 90 s hold both.
const FULL = { seconds: "600", launches: "3" };
const QUICK = { seconds: "50", launches: "1" };

export const HELP = `Times forward, inference and backward beside copies of the same tensor, and checks their bits before.

Usage: npm run bench -- [options]

  --only TEXT      what to time, several by commas or by repeating it: op (${SELECTABLE.op.join(", ")}),
                   shape (${SELECTABLE.shape.join("")}), layout, backend, data (${SELECTABLE.data.join(", ")}), fixed
  --quick          the best backend without shape I, in at most 90 s
  --json FILE      write every row
  --compare FILE   set the rows beside those of an earlier --json
  --threads LIST   thread counts to ask for (default 1 and ${availableParallelism()}, all this process may use)
  --dtypes LIST    float32, float64 (default float32)
  --backends LIST  native, native/avx2, …, wasm, oracle (default: the best on every shape; in a full run
                   the others on A, B, C and F, and the oracle on none)
  --seconds N      time to divide among all that is timed (default ${FULL.seconds}; ${QUICK.seconds} with --quick)
  --launches N     processes to time it in, one after another, whose medians count (default ${FULL.launches}; ${QUICK.launches} with --quick)
  --help           this text
`;

const text = { type: "string" } as const;
const list = { type: "string", multiple: true } as const;
const flag = { type: "boolean" } as const;
const SPECIFICATION = {
  only: list,
  quick: flag,
  json: text,
  compare: text,
  threads: list,
  dtypes: list,
  backends: list,
  seconds: text,
  launches: text,
  help: flag,
} as const;

function backendNames(values: readonly string[] | undefined): string[] | null {
  const names = items(values);
  const known = ["native", ...SELECTABLE.backend];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new OptionError(`--backends must be of ${known.join(", ")}, got "${unknown}"`);
  return names.length > 0 ? names : null;
}

const DTYPES: readonly DType[] = ["float32", "float64"];

function selectionOf(only: readonly string[] | undefined): Selection {
  const { selection, unknown } = readSelection(items(only));
  if (unknown === undefined) return selection;
  const known = Object.values(SELECTABLE).flat();
  throw new OptionError(`--only must be of ${known.join(", ")}, got "${unknown}"`);
}

/** The options in `args`, or null where help is asked for. */
export function parseOptions(args: readonly string[]): Options | null {
  const given = readArguments(args, SPECIFICATION);
  if (given.help) return null;
  const values = { ...(given.quick ? QUICK : FULL), ...given };
  const threads = items(values.threads).map((value) => integer("threads", value, 1, 64));
  return {
    selection: selectionOf(values.only),
    quick: values.quick ?? false,
    json: path("json", values.json),
    compare: path("compare", values.compare),
    threads: [...new Set(threads.length > 0 ? threads : [1, availableParallelism()])],
    dtypes: listOf("dtypes", DTYPES, values.dtypes) ?? ["float32"],
    backends: backendNames(values.backends),
    seconds: integer("seconds", values.seconds, 1, 86_400),
    launches: integer("launches", values.launches, 1, 99),
  };
}
