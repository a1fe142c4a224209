// The command line of the study.
import { availableParallelism } from "node:os";
import { flag, integer, list, listOf, OptionError, readArguments, text } from "../scripts/tools/command-line.js";
import { EXPERIMENTS, type ExperimentName } from "./experiments/experiments.js";
import { FULL, QUICK, type Size } from "./experiments/sizes.js";

export interface Options {
  readonly size: Size;
  readonly only: readonly ExperimentName[];
  readonly workers: number;
  /** Folder of the results, the pictures and the report. */
  readonly out: string;
  /** Nothing is trained; the report is of the points that are there. */
  readonly reportOnly: boolean;
}

/** Where the committed results are. */
export const OUT = "study";
const QUICK_OUT = "report/study-quick";

export const HELP = `Measures every claim about batch normalization on MNIST, and writes a report with pictures.
The results are kept point by point: started again after a stop, the study goes on where it was.

Usage: npm run study -- [options]

  --quick         a first look of ten minutes: fewer steps, one seed (default folder ${QUICK_OUT})
  --only NAMES    some of ${EXPERIMENTS.join(", ")}
  --seeds N       seeds of each variant (default ${FULL.seeds}, quick ${QUICK.seeds}); the long trainings have one
  --workers N     trainings at a time (default: one for each core)
  --out DIR       where results, pictures and report go (default ${OUT})
  --report        train nothing, and write the report of the points that are there
  --help          this text
`;

const SPECIFICATION = {
  quick: flag,
  only: list,
  seeds: text,
  workers: text,
  out: text,
  report: flag,
  help: flag,
} as const;

/** The options in `args`, or null where help is asked for. */
export function parseOptions(args: readonly string[]): Options | null {
  const given = readArguments(args, SPECIFICATION);
  if (given.help) return null;
  const size = given.quick ? QUICK : FULL;
  if (given.out === "") throw new OptionError("--out must name a folder");
  return {
    size: given.seeds === undefined ? size : { ...size, seeds: integer("seeds", given.seeds, 1, 100) },
    only: listOf("only", EXPERIMENTS, given.only) ?? EXPERIMENTS,
    workers: given.workers === undefined ? availableParallelism() : integer("workers", given.workers, 1, 256),
    out: given.out ?? (given.quick ? QUICK_OUT : OUT),
    reportOnly: given.report ?? false,
  };
}
