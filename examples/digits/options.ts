// The command line: options, their defaults and limits, and the help text.
import { OptionError, integer, readArguments, flag, text } from "../../scripts/tools/command-line.js";
import { ACTIVATIONS, type ActivationName } from "./network/activations.js";
import type { BackendName } from "./train.js";

export interface Options {
  readonly steps: number;
  readonly seed: number;
  readonly batch: number;
  readonly rate: number;
  readonly activation: ActivationName;
  readonly backend?: BackendName;
  readonly out: string;
}

// 4000 mini-batches of 60 are 30 epochs of 8000 digits; 60 is the paper's, which states no rate.
const DEFAULTS = {
  steps: "4000",
  seed: "1",
  batch: "60",
  rate: "0.1",
  activation: "sigmoid",
  out: "report/index.html",
};

export const HELP = `Trains 784–100–100–100–10 on handwritten digits with and without batch normalization, at a rate
and at ten times that rate, and writes a report.

Usage: npm start -- [options]

  --steps N        mini-batches per training (default ${DEFAULTS.steps})
  --seed N         seed of the split, the weights and the order (default ${DEFAULTS.seed})
  --batch N        digits in a mini-batch, at least 2 (default ${DEFAULTS.batch})
  --rate R         learning rate (default ${DEFAULTS.rate}); the second pair trains with 10 times R
  --activation A   ${ACTIVATIONS.join(", ")} (default ${DEFAULTS.activation})
  --backend B      native, native/avx512, …, wasm, oracle (default: the best that works here)
  --out FILE       the report (default ${DEFAULTS.out})
  --help           this text
`;

const SPECIFICATION = {
  steps: text,
  seed: text,
  batch: text,
  rate: text,
  activation: text,
  backend: text,
  out: text,
  help: flag,
} as const;

function positive(name: string, value: string): number {
  const number = value.trim() === "" ? NaN : Number(value);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new OptionError(`--${name} must be a positive number, got "${value}"`);
}

function oneOf<Name extends string>(name: string, value: string, names: readonly Name[]): Name {
  const found = names.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new OptionError(`--${name} must be one of ${names.join(", ")}, got "${value}"`);
}

/** The options in `args`, or null where help is asked for. `backendNames` are those the library knows. */
export function parseOptions(args: readonly string[], backendNames: readonly BackendName[]): Options | null {
  const given = readArguments(args, SPECIFICATION);
  if (given.help) return null;
  const values = { ...DEFAULTS, ...given };
  if (values.out === "") throw new OptionError("--out must name a file");
  return {
    steps: integer("steps", values.steps, 1, 1_000_000),
    seed: integer("seed", values.seed, 0, 2 ** 32 - 1),
    batch: integer("batch", values.batch, 2, 8000),
    rate: positive("rate", values.rate),
    activation: oneOf("activation", values.activation, ACTIVATIONS),
    ...(values.backend !== undefined && { backend: oneOf("backend", values.backend, backendNames) }),
    out: values.out,
  };
}
