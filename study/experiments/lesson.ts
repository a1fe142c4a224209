// A published lesson on batch normalization, from Udacity's course on deep learning: its network and its results.
import type { ActivationName } from "../../examples/digits/network/activations.js";
import type { Side } from "./plan.js";

/** The lesson's network: TensorFlow's defaults of its time, and the weights it calls reasonable. */
export const LESSON = { norm: { eps: 1e-3, momentum: 0.01 }, initialStd: 0.05 };

export interface LessonRow {
  readonly label: string;
  readonly activation: ActivationName;
  readonly rate: number;
  readonly initialStd: number;
  readonly seeds: number;
  /** The lesson's accuracies in percent, without and with, of each of its runs. */
  readonly published: Readonly<Record<Side, readonly number[]>>;
}

/** A lesson's published results for the same network after 50 000 steps. */
export const LESSON_ROWS: readonly LessonRow[] = (
  [
    ["sigmoid", 0.01, 0.05, { without: [82.71], with: [97.32] }],
    ["sigmoid", 1, 0.05, { without: [97.52], with: [98.12] }],
    ["relu", 1, 0.05, { without: [9.8], with: [98.34] }],
    ["relu", 2, 0.05, { without: [10.1], with: [98.27] }],
    ["sigmoid", 0.01, 5, { without: [22.7], with: [85.27] }],
    ["relu", 1, 5, { without: [11.35], with: [92.08, 10.1] }],
  ] as const
).map(([activation, rate, initialStd, published]) => ({
  label: `${activation}, rate ${rate}, σ ${initialStd}`,
  activation,
  rate,
  initialStd,
  seeds: published.with.length,
  published,
}));
