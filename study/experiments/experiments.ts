// All experiments. Their settings were fixed on 2026-11-30, before any of them was run, and nothing was tuned afterwards:
// a claim that does not hold with them is reported not to hold.
import type { ActivationName } from "../../examples/digits/network/activations.js";
import { LESSON, LESSON_ROWS } from "./lesson.js";
import { both, dense, stepsOf } from "./networks.js";
import type { Experiment, NormSettings, Settings, Variant } from "./plan.js";
import type { Size } from "./sizes.js";
import { ghost, population, renorm } from "./whose-statistics.js";

export const FIXED = "2026-11-30";
export const RATES = [0.01, 0.1, 1, 2, 5, 10] as const;
export const DEVIATIONS = [0.005, 0.05, 0.5, 5] as const;
export const BATCHES = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const;
export const CONVOLUTIONAL_RATES = [0.1, 1, 3] as const;
export const PAIR = ["sigmoid", "relu"] as const;

/** Santurkar et al. 2018 say of their noise: shifts up to 0.5, deviations up to 1.25. */
const NOISE = { mean: 0.5, std: 1.25 };
type More = Partial<Settings>;

function figure1({ long }: Size): Variant[] {
  return both("sigmoid", dense("sigmoid", long, { evaluations: 100, follow: ["percentiles"] }), 1);
}

function lesson({ long }: Size): Variant[] {
  return LESSON_ROWS.flatMap(({ label, activation, rate, initialStd, seeds }) =>
    both(label, dense(activation, long, { ...LESSON, rate, initialStd }), seeds),
  );
}

function speed({ speed: steps }: Size): Variant[] {
  return PAIR.flatMap((activation) => both(activation, dense(activation, steps, { evaluations: 100 })));
}

function rates({ usual }: Size): Variant[] {
  return PAIR.flatMap((activation) =>
    RATES.flatMap((rate) => both(`${activation}, rate ${rate}`, dense(activation, usual, { rate }))),
  );
}

function weights({ usual }: Size): Variant[] {
  return PAIR.flatMap((activation) =>
    DEVIATIONS.flatMap((initialStd) =>
      both(`${activation}, σ ${initialStd}`, dense(activation, usual, { initialStd })),
    ),
  );
}

/** 500 digits in batches of 50, so that an epoch is of ten steps and leaves none out. */
function regularization({ usual }: Size): Variant[] {
  const few = { digits: 500, batch: 50, evaluations: 60, follow: ["training"] as const };
  const variants: Readonly<Record<string, More>> = {
    nothing: { norm: null },
    "batch normalization": {},
    dropout: { norm: null, dropout: 0.5 },
    "weight decay": { norm: null, weightDecay: 1e-3 },
  };
  return Object.entries(variants).map(([label, more]) => ({
    label,
    settings: dense("relu", usual, { ...few, ...more }),
  }));
}

function shift({ usual }: Size): Variant[] {
  const followed = { evaluations: 30, follow: ["drift", "gradients"] as const };
  const noisy = { evaluations: 30, follow: ["drift"] as const, noise: NOISE };
  return PAIR.flatMap((activation) => [
    ...both(activation, dense(activation, usual, followed)),
    { label: `${activation}, with and noise`, settings: dense(activation, usual, noisy) },
  ]);
}

/** Batch statistics exist with normalization alone. */
function statistics(label: string, settings: Settings): Variant[] {
  return both(label, settings).map(({ label: own, settings: each }) => ({
    label: own,
    settings: each.norm ? { ...each, follow: ["statistics"] } : each,
  }));
}

function batch({ epochs, equalSteps }: Size): Variant[] {
  return BATCHES.flatMap((size) => {
    const few = { batch: size, evaluations: 10 };
    return [
      ...statistics(`equal epochs, batch ${size}`, dense("relu", stepsOf(epochs, size), few)),
      ...statistics(`equal steps, batch ${size}`, dense("relu", equalSteps, few)),
    ];
  });
}

function classes({ usual }: Size): Variant[] {
  return [
    ...statistics("all classes", dense("relu", usual)),
    ...statistics("two classes", dense("relu", usual, { order: "two-classes" })),
  ];
}

export const AFFINE: Readonly<Record<string, NormSettings>> = {
  "γ and β": {},
  "β alone": { weight: false },
  "γ alone": { bias: false },
  neither: { weight: false, bias: false },
};
export const EPSILONS = [1e-5, 1e-3, 1e-1, 1] as const;
export const MOMENTA = [0.01, 0.1, 0.5, 1] as const;

function variants({ usual }: Size): Variant[] {
  const norm = (label: string, activation: ActivationName, own: NormSettings): Variant => ({
    label: `${activation}, ${label}`,
    settings: dense(activation, usual, { norm: own }),
  });
  return [
    ...PAIR.flatMap((activation) => [
      { label: `${activation}, after`, settings: dense(activation, usual, { placement: "after" }) },
      ...Object.entries(AFFINE).map(([label, own]) => norm(label, activation, own)),
    ]),
    ...EPSILONS.slice(1).map((eps) => norm(`ε ${eps}`, "relu", { eps })),
    ...MOMENTA.filter((momentum) => momentum !== 0.1).map((momentum) =>
      norm(`momentum ${momentum}`, "relu", { momentum }),
    ),
  ];
}

function convolution({ convolutional: steps }: Size): Variant[] {
  return CONVOLUTIONAL_RATES.flatMap((rate) =>
    both(`rate ${rate}`, { ...dense("relu", steps, { rate, evaluations: 25 }), model: "convolutional" }),
  );
}

const MAKERS = {
  figure1,
  lesson,
  speed,
  rates,
  weights,
  regularization,
  shift,
  batch,
  classes,
  ghost,
  renorm,
  population,
  variants,
  convolution,
};

export type ExperimentName = keyof typeof MAKERS;
export const EXPERIMENTS = Object.keys(MAKERS) as ExperimentName[];

export function experimentsOf(size: Size, names: readonly ExperimentName[] = EXPERIMENTS): Experiment[] {
  return names.map((name) => ({ name, variants: MAKERS[name](size) }));
}
