// The command line: options, their defaults and limits, and the help text.
import { availableParallelism } from "node:os";
import type { DType } from "batchnorm";
import {
  OptionError,
  integer,
  items,
  listOf,
  path,
  readArguments,
  text,
  list,
  flag,
} from "../scripts/tools/command-line.js";
import { QUIET_HELP } from "./quiet.js";
import {
  isWhole,
  MEMORIES,
  readSelection,
  SELECTABLE,
  VARIANTS,
  type Memory,
  type Selection,
  type Variant,
} from "./selection.js";

export interface Options {
  readonly selection: Selection;
  readonly quick: boolean;
  readonly json: string | null;
  readonly compare: string | null;
  /** An earlier run's rows, instead of timing anything. */
  readonly from: string | null;
  readonly html: string | null;
  /** A folder. */
  readonly charts: string | null;
  readonly markdown: string | null;
  readonly threads: readonly number[];
  readonly memories: readonly Memory[];
  readonly dtypes: readonly DType[];
  readonly variants: readonly Variant[];
  /** null: the best on all shapes, and in the full run the others on few. */
  readonly backends: readonly string[] | null;
  readonly seconds: number;
  readonly launches: number;
  readonly quietCheck: boolean;
}

// Preparation, bit checks and the least number of rounds come on top of what is divided: 15 minutes and 90 s hold both.
const FULL = { seconds: "600", launches: "3" };
const QUICK = { seconds: "50", launches: "1" };

const PAGE = "build/bench/index.html";

/** Charts, by the names of their files. */
export const CHARTS = ["sizes", "ratios", "threads", "types"] as const;

export const HELP = `Times forward, inference and backward beside copies of the same tensor, and checks their bits before.

Usage: npm run bench -- [options]

  --only TEXT      what to time, several by commas or by repeating it: op (${SELECTABLE.op.join(", ")}),
                   shape (${SELECTABLE.shape.join("")}), layout, backend, data (${SELECTABLE.data.join(", ")}),
                   fixed: costs that no tensor causes; sizes: 10³ to 10⁸ values
  --quick          the best backend without shape I, in at most 90 s
  --json FILE      write every row
  --compare FILE   set the rows beside those of an earlier --json
  --from FILE      time nothing: show the rows of an earlier --json
  --html FILE      write a page with charts and tables (default in a full run: ${PAGE})
  --charts FOLDER  write the charts alone: ${CHARTS.map((name) => `${name}.svg`).join(", ")}
  --markdown FILE  replace the figures between the two marks of FILE, as in docs/speed.md
  --threads LIST   thread counts to ask for (default 1 and ${availableParallelism()}, all this process may use)
  --memory LIST    where arrays are: ordinary, arena (of createArena: WASM alone; default both)
  --dtypes LIST    float32, float64, float16, bfloat16 (default float32)
  --variants LIST  plain, leaky-relu, weights (one for each sample) on the shapes (default plain)
  --backends LIST  native, native/avx2, …, wasm, oracle (default: the best on every shape; in a full run
                   the others on A, B, C and F, and the oracle on none)
  --seconds N      time to divide among all that is timed (default ${FULL.seconds}; ${QUICK.seconds} with --quick)
${QUIET_HELP}
  --launches N     processes to time it in, one after another, whose medians count (default ${FULL.launches}; ${QUICK.launches} with --quick)
  --help           this text
`;

const SPECIFICATION = {
  only: list,
  quick: flag,
  json: text,
  compare: text,
  from: text,
  html: text,
  charts: text,
  markdown: text,
  threads: list,
  memory: list,
  dtypes: list,
  variants: list,
  backends: list,
  seconds: text,
  launches: text,
  "quiet-check": flag,
  help: flag,
} as const;

const DTYPES: readonly DType[] = ["float32", "float64", "float16", "bfloat16"];

function selectionOf(only: readonly string[] | undefined): Selection {
  const { selection, unknown } = readSelection(items(only));
  if (unknown === undefined) return selection;
  throw new OptionError(`--only must be of ${Object.values(SELECTABLE).flat().join(", ")}, got "${unknown}"`);
}

/** The options in `args`, or null where help is asked for. */
export function parseOptions(args: readonly string[]): Options | null {
  const given = readArguments(args, SPECIFICATION);
  if (given.help) return null;
  const values = { ...(given.quick ? QUICK : FULL), ...given };
  const selection = selectionOf(values.only);
  const quick = values.quick ?? false;
  const threads = items(values.threads).map((value) => integer("threads", value, 1, 64));
  const isFull = isWhole(selection) && !quick && values.from === undefined;
  return {
    selection,
    quick,
    json: path("json", values.json),
    compare: path("compare", values.compare),
    from: path("from", values.from),
    html: path("html", values.html ?? (isFull ? PAGE : undefined)),
    charts: path("charts", values.charts),
    markdown: path("markdown", values.markdown),
    threads: [...new Set(threads.length > 0 ? threads : [1, availableParallelism()])],
    memories: listOf("memory", MEMORIES, values.memory) ?? MEMORIES,
    dtypes: listOf("dtypes", DTYPES, values.dtypes) ?? ["float32"],
    variants: listOf("variants", VARIANTS, values.variants) ?? ["plain"],
    backends: listOf("backends", ["native", ...SELECTABLE.backend], values.backends),
    seconds: integer("seconds", values.seconds, 1, 86_400),
    launches: integer("launches", values.launches, 1, 99),
    quietCheck: values["quiet-check"] ?? false,
  };
}
