// The two networks of most experiments: without and with normalization.
import type { ActivationName } from "../../examples/digits/network/activations.js";
import { type ExperimentName } from "../experiments/experiments.js";
import { SIDES, type Side } from "../experiments/plan.js";
import { COLOURS, overSteps, type Line } from "./charts.js";
import type { Group, Groups } from "./groups.js";

export const NAMES: Readonly<Record<ActivationName, string>> = { sigmoid: "sigmoid", relu: "ReLU", tanh: "tanh" };
export const ACCURACY = "held-out accuracy, %";

export type Sides = Readonly<Record<Side, Group>>;

export function sidesOf(groups: Groups, experiment: ExperimentName, label: string): Sides {
  return { without: groups.of(experiment, `${label}, without`), with: groups.of(experiment, `${label}, with`) };
}

/** Accuracy over the steps, without and with. */
export function accuracyLines(sides: Sides): Line[] {
  return SIDES.map((side) => ({
    name: side,
    colour: COLOURS[side],
    data: overSteps(sides[side], ({ accuracy }, i) => 100 * accuracy[i]!),
  }));
}
