// Experiments on whose statistics normalize: those of ghost batches, the running ones within limits, and the population's.
// They were added when the results of the others were known. Their settings were fixed before any of them was run, and their
// lengths were cut once, for want of time, when eleven points of ghost batches and short trainings were there.
import { dense, RATE, stepsOf } from "./networks.js";
import type { NormSettings, Settings, Variant } from "./plan.js";
import type { Size } from "./sizes.js";

/** Virtual batches of so many digits. */
export const GHOSTS = [8, 32, 128] as const;
/** The large batch, and the one that it is measured against, whose points the experiment on batches has. */
export const LARGE = 1024;
export const SMALL = 128;
/** Hoffer et al. 2017 raise the rate by the root of the ratio of the batches. */
export const RAISED = Number((RATE * Math.sqrt(LARGE / SMALL)).toFixed(3));
/** Few digits, all of them in a batch, and the batch that it is measured against. */
export const FEW = 500;
export const FEW_SMALL = 50;

/** The population's statistics exist with normalization alone. */
function followed(label: string, settings: Settings): Variant {
  return { label, settings: { ...settings, follow: [...(settings.follow ?? []), "population"] } };
}

/** The batch as a whole, and cut into virtual batches of each size. */
function cuts(label: string, settings: Settings): Variant[] {
  const ghosts = GHOSTS.map((size) =>
    followed(`${label}, ghosts of ${size}`, { ...settings, norm: { virtualBatchSize: size } }),
  );
  return [followed(`${label}, whole`, settings), ...ghosts];
}

export function ghost({ epochs, equalSteps }: Size): Variant[] {
  const large = { batch: LARGE, evaluations: 10 };
  const fewSteps = equalSteps / 5;
  const few = { digits: FEW, evaluations: 20, follow: ["training"] as const };
  return [RATE, RAISED]
    .flatMap((rate) => cuts(`rate ${rate}`, dense("relu", stepsOf(epochs, LARGE), { ...large, rate })))
    .concat(
      followed("few digits, small batch", dense("relu", fewSteps, { ...few, batch: FEW_SMALL })),
      cuts("few digits", dense("relu", fewSteps, { ...few, batch: FEW })),
    );
}

/** What batches may be made of, with the settings of each. */
export const HARD_BATCHES = {
  "batches of 2": { batch: 2, evaluations: 20 },
  "batches of 4": { batch: 4, evaluations: 20 },
  "two classes": { order: "two-classes", evaluations: 20 },
  "all classes": { evaluations: 20 },
} as const satisfies Readonly<Record<string, Partial<Settings>>>;
export type HardBatches = keyof typeof HARD_BATCHES;
/** The library's momentum, and that of Ioffe 2017. */
export const RENORM_MOMENTA = [0.1, 0.01] as const;

/**
 * Ioffe 2017: batch normalization for 5000 steps, then r up to 3 at step 40 000 and d up to 5 at step 25 000. This is the
 * same for a training of 40 000 steps, in as many steps as there are.
 */
function renormOf(steps: number): NonNullable<NormSettings["renorm"]> {
  return { from: steps / 8, rMax: 3, rUntil: steps, dMax: 5, dUntil: (5 * steps) / 8 };
}

/** The experiment on batches has small ones without normalization. */
export function renorm({ equalSteps }: Size): Variant[] {
  return Object.entries(HARD_BATCHES).flatMap(([name, more]) => {
    const settings = dense("relu", equalSteps, more);
    const without = { label: `${name}, without`, settings: { ...settings, norm: null } };
    return [
      ...("batch" in more ? [] : [without]),
      ...RENORM_MOMENTA.flatMap((momentum) => [
        followed(`${name}, plain, momentum ${momentum}`, { ...settings, norm: { momentum } }),
        followed(`${name}, renorm, momentum ${momentum}`, {
          ...settings,
          norm: { momentum, renorm: renormOf(equalSteps) },
        }),
      ]),
    ];
  });
}

/** After so many steps inference begins. */
export const SHORT_STEPS = [100, 1000] as const;
export const POPULATION_MOMENTA = [0.01, 0.1, 1] as const;

export function population(): Variant[] {
  return SHORT_STEPS.flatMap((steps) =>
    POPULATION_MOMENTA.map((momentum) =>
      followed(`${steps} steps, momentum ${momentum}`, dense("relu", steps, { evaluations: 10, norm: { momentum } })),
    ),
  );
}
