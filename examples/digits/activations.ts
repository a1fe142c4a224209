// The hidden units' activations, each with its derivative in terms of its own output.

export const ACTIVATIONS = ["sigmoid", "relu", "tanh"] as const;
export type ActivationName = (typeof ACTIVATIONS)[number];

export interface Activation {
  readonly value: (input: number) => number;
  /** The derivative where the output is `output`. */
  readonly slope: (output: number) => number;
}

export const activations: Readonly<Record<ActivationName, Activation>> = {
  sigmoid: { value: (u) => 1 / (1 + Math.exp(-u)), slope: (h) => h * (1 - h) },
  relu: { value: (u) => Math.max(0, u), slope: (h) => (h > 0 ? 1 : 0) },
  tanh: { value: Math.tanh, slope: (h) => 1 - h * h },
};
