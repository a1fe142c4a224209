// The command line: options, their defaults and limits, and the help text.
import { OptionError, integer, listOf, readArguments, flag, list, text } from "../../scripts/tools/command-line.js";
import { claims } from "./claims/index.js";
import type { Claim } from "./claims/claim.js";
import { own } from "./claims/own.js";
import { ACTIVATIONS } from "./network/activations.js";
import { GROUPS, type Parallel } from "./parallel/options.js";
import { settings, type Setting } from "./settings.js";
import type { BackendName } from "./training.js";

export interface Options {
  readonly claims: readonly Claim[];
  readonly seeds: readonly number[];
  readonly backend?: BackendName;
  readonly out: string;
  /** One network, trained by several ranks; null for the claims. */
  readonly parallel: Parallel | null;
}

const TRAIN = "train";
const NAMES = [...claims.map(({ name }) => name), TRAIN];
const DEFAULTS = { seed: "1", seeds: `${settings.seeds}`, out: "report/index.html" };
const OWN = { steps: "1000", batch: "60", rate: "0.1", activation: "sigmoid", std: "" };

export const HELP = `Tries every claim of the lecture about batch normalization on handwritten digits, without and with it,
and writes a report. Takes under two minutes on two cores.

Usage: npm start -- [options]

  --only NAMES     some of the claims, separated by commas:
${claims.map(({ name, title }) => `                     ${name.padEnd(15)} ${title}`).join("\n")}
                     ${TRAIN.padEnd(15)} a training of your own, see below
  --seeds N        seeds of every experiment, 1 to 10 (default ${DEFAULTS.seeds})
  --seed N         the first of them: the split, the weights and the order (default ${DEFAULTS.seed})
  --backend B      native, native/avx512, …, wasm, oracle (default: the best that works here)
  --out FILE       the report (default ${DEFAULTS.out})
  --help           this text

With --only ${TRAIN}:
  --steps N        mini-batches (default ${OWN.steps})
  --batch N        digits in a mini-batch, at least 2 (default ${OWN.batch})
  --rate R         learning rate (default ${OWN.rate})
  --activation A   ${ACTIVATIONS.join(", ")} (default ${OWN.activation})
  --std S          standard deviation of the initial weights (default 1/√inputs)

With --group, one network is trained by several ranks, with the options above:
  --group G        ${GROUPS.join(", ")}: ranks that take turns in one process, worker threads, or mpirun's
  --ranks N        how many, 1 to 64 (default 4; mpirun -n says it for mpi)
  --json           one line of JSON

The claims' own settings are in examples/digits/settings.ts.
`;

const SPECIFICATION = {
  only: list,
  seeds: text,
  seed: text,
  backend: text,
  out: text,
  steps: text,
  batch: text,
  rate: text,
  activation: text,
  std: text,
  group: text,
  ranks: text,
  json: flag,
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

type Given = Partial<Record<keyof typeof OWN, string>>;

function ownSetting(given: Given): Setting {
  const values = { ...OWN, ...given };
  const steps = integer("steps", values.steps, 1, 1_000_000);
  return {
    activation: oneOf("activation", values.activation, ACTIVATIONS),
    rate: positive("rate", values.rate),
    batch: integer("batch", values.batch, 2, settings.speed.training.digits),
    steps,
    initialStd: given.std === undefined ? null : positive("std", values.std),
    digits: settings.speed.training.digits,
    look: Math.max(1, Math.round(steps / 50)),
  };
}

function claimsOf(only: readonly string[] | undefined, given: Given): Claim[] {
  const names = listOf("only", NAMES, only) ?? claims.map(({ name }) => name);
  const isOwn = names.includes(TRAIN);
  const stray = Object.keys(OWN).find((name) => given[name as keyof Given] !== undefined);
  if (stray !== undefined && !isOwn)
    throw new OptionError(`--${stray} needs --only ${TRAIN}: a claim's settings are fixed`);
  return [...claims.filter(({ name }) => names.includes(name)), ...(isOwn ? [own(ownSetting(given))] : [])];
}

/** The options in `args`, or null where help is asked for. `backendNames` are those the library knows. */
export function parseOptions(args: readonly string[], backendNames: readonly BackendName[]): Options | null {
  const { only, help, group, ranks, json = false, ...given } = readArguments(args, SPECIFICATION);
  if (help) return null;
  const values = { ...DEFAULTS, ...given };
  if (values.out === "") throw new OptionError("--out must name a file");
  const count = integer("seeds", values.seeds, 1, 10);
  const seed = integer("seed", values.seed, 0, 2 ** 32 - 1 - 10);
  const backend = values.backend !== undefined && { backend: oneOf("backend", values.backend, backendNames) };
  if (group === undefined && (ranks !== undefined || json)) throw new OptionError("--ranks and --json need --group");
  const refused = (["only", "seeds", "out"] as const).find(
    (name) => (name === "only" ? only : given[name]) !== undefined,
  );
  if (group !== undefined && refused !== undefined)
    throw new OptionError(`--${refused} and --group exclude each other`);
  const parallel = group !== undefined && {
    group: oneOf("group", group, GROUPS),
    ranks: ranks === undefined ? null : integer("ranks", ranks, 1, 64),
    training: { ...ownSetting(given), seed, normalized: true, ...backend },
    json,
  };
  return {
    claims: parallel ? [] : claimsOf(only, given),
    seeds: Array.from({ length: count }, (_, i) => seed + i),
    ...backend,
    out: values.out,
    parallel: parallel || null,
  };
}
