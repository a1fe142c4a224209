// The dense network of most experiments, without and with normalization.
import type { ActivationName } from "../../examples/digits/network/activations.js";
import { SIDES, type Settings, type Variant } from "./plan.js";

export const TRAINING_DIGITS = 60_000;
/** The paper's mini-batch. It states no rate; 0.1 is a common plain choice. */
const BATCH = 60;
export const RATE = 0.1;

/** A dense network of the paper; `more` says what differs. */
export function dense(activation: ActivationName, steps: number, more: Partial<Settings> = {}): Settings {
  return { model: "dense", activation, norm: {}, rate: RATE, batch: BATCH, steps, evaluations: 50, ...more };
}

/** The settings without and with normalization, which have the same weights and batches at the start. */
export function both(label: string, settings: Settings, seeds?: number): Variant[] {
  return SIDES.map((side) => ({
    label: `${label}, ${side}`,
    settings: side === "with" ? settings : { ...settings, norm: null },
    ...(seeds !== undefined && { seeds }),
  }));
}

/** The steps in which a mini-batch of `size` goes through the training digits. */
export function stepsOf(epochs: number, size: number): number {
  return Math.round((epochs * TRAINING_DIGITS) / size);
}
