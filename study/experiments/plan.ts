// What a point is: an experiment, a variant of it with its settings, and a seed. The key is a hash of all that the result
// depends on, so a point whose settings were changed is computed again.
import { createHash } from "node:crypto";
import type { ActivationName } from "../../examples/digits/network/activations.js";

/** Changed where the same settings begin to mean another computation. */
const REVISION = 1;

/** The two networks of most experiments: without and with normalization. */
export const SIDES = ["without", "with"] as const;
export type Side = (typeof SIDES)[number];

/** Options of the normalizing layers that an experiment varies; absent ones have the library's defaults. */
export interface NormSettings {
  readonly eps?: number;
  readonly momentum?: number;
  readonly weight?: boolean;
  readonly bias?: boolean;
  readonly virtualBatchSize?: number;
  readonly renorm?: RenormSettings;
}

/**
 * The limits of a batch renormalization. Up to the batch `from` it is batch normalization. Then the limit of r grows evenly
 * from 1 to `rMax`, which it reaches at the batch `rUntil`, and that of d from 0 to `dMax` at `dUntil`.
 */
export interface RenormSettings {
  readonly from: number;
  readonly rMax: number;
  readonly rUntil: number;
  readonly dMax: number;
  readonly dUntil: number;
}

/** What is followed during a training, beside the accuracy on held-out digits. */
export type Follow =
  /** The accuracy on training digits. */
  | "training"
  /** Percentiles of what enters some units. */
  | "percentiles"
  /** How far a step moves the distribution that enters each layer. */
  | "drift"
  /** How well a gradient predicts the gradients along its own direction. */
  | "gradients"
  /** Accuracies with the running, the cumulative and the population statistics, and those of the batch. */
  | "statistics"
  /** Accuracies with the layers' own running statistics, those of `updateStatistics`, and those of the batch. */
  | "population";

export interface Settings {
  readonly model: "dense" | "convolutional";
  readonly activation: ActivationName;
  /** Null: biases take the place of the normalizing layers. */
  readonly norm: NormSettings | null;
  readonly placement?: "before" | "after";
  /** The standard deviation of all weights; absent: 1/√inputs. */
  readonly initialStd?: number;
  readonly dropout?: number;
  readonly noise?: { readonly mean: number; readonly std: number };
  readonly weightDecay?: number;
  readonly rate: number;
  readonly batch: number;
  readonly steps: number;
  /** The number of training digits; absent: all of them. */
  readonly digits?: number;
  /** Absent: shuffled in every epoch. "two-classes": each batch is of two digits only. */
  readonly order?: "two-classes";
  readonly evaluations: number;
  readonly follow?: readonly Follow[];
}

/** A variant of an experiment; `seeds` where it is not the study's number. */
export interface Variant {
  readonly label: string;
  readonly settings: Settings;
  readonly seeds?: number;
}

export interface Experiment {
  readonly name: string;
  readonly variants: readonly Variant[];
}

export interface Planned {
  readonly experiment: string;
  readonly label: string;
  readonly seed: number;
  readonly settings: Settings;
}

/** One text for equal values, whatever the order of their properties. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, of]) => `${JSON.stringify(name)}:${canonical(of)}`).join()}}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export function idOf({ experiment, label, seed }: Planned): string {
  return `${experiment}/${label}/${seed}`;
}

export function keyOf({ settings, seed }: Planned): string {
  return sha256(canonical({ revision: REVISION, settings, seed })).slice(0, 16);
}

/** A hash of all settings of a plan: it says that they are the ones that were fixed beforehand. */
export function hashOf(plan: readonly Planned[]): string {
  return sha256(plan.map((planned) => `${idOf(planned)} ${keyOf(planned)}`).join("\n"));
}

/** Every point: seeds 1, 2, … of every variant. */
export function planOf(experiments: readonly Experiment[], seeds: number): Planned[] {
  return experiments.flatMap(({ name, variants }) =>
    variants.flatMap(({ label, settings, seeds: own = seeds }) =>
      Array.from({ length: own }, (_, i) => ({ experiment: name, label, settings, seed: i + 1 })),
    ),
  );
}
