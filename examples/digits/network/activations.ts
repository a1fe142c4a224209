// The hidden units' activations, on whole arrays: a loop in each, so that engines need not call a function for each value.
import { exp, tanh } from "./exp.js";

export const ACTIVATIONS = ["sigmoid", "relu", "tanh"] as const;
export type ActivationName = (typeof ACTIVATIONS)[number];

export interface Activation {
  /** The outputs for the inputs u. */
  readonly forward: (u: Float32Array) => Float32Array;
  /** The gradient of the inputs, from that of the outputs h. */
  readonly backward: (dh: Float32Array, h: Float32Array) => Float32Array;
}

export const activations: Readonly<Record<ActivationName, Activation>> = {
  sigmoid: {
    forward(u) {
      const h = new Float32Array(u.length);
      for (let i = 0; i < u.length; i++) h[i] = 1 / (1 + exp(-u[i]!));
      return h;
    },
    backward(dh, h) {
      const du = new Float32Array(h.length);
      for (let i = 0; i < h.length; i++) du[i] = dh[i]! * h[i]! * (1 - h[i]!);
      return du;
    },
  },
  relu: {
    forward(u) {
      const h = new Float32Array(u.length);
      for (let i = 0; i < u.length; i++) h[i] = Math.max(0, u[i]!);
      return h;
    },
    backward(dh, h) {
      const du = new Float32Array(h.length);
      for (let i = 0; i < h.length; i++) du[i] = h[i]! > 0 ? dh[i]! : 0;
      return du;
    },
  },
  tanh: {
    forward(u) {
      const h = new Float32Array(u.length);
      for (let i = 0; i < u.length; i++) h[i] = tanh(u[i]!);
      return h;
    },
    backward(dh, h) {
      const du = new Float32Array(h.length);
      for (let i = 0; i < h.length; i++) du[i] = dh[i]! * (1 - h[i]! * h[i]!);
      return du;
    },
  },
};
