// What a training is, and the network it starts from.
import type { BatchNormOptions } from "batchnorm";
import type { MakeNorm } from "./network/layers.js";
import { Network } from "./network/network.js";
import { uniform } from "./network/random.js";
import { Stream } from "./network/samples.js";
import type { Setting } from "./settings.js";

export type BackendName = NonNullable<BatchNormOptions["backend"]>;

export interface Training extends Setting {
  readonly seed: number;
  /** With batch normalization before each activation. */
  readonly normalized: boolean;
  /** The backend asked for; the library's choice where absent. */
  readonly backend?: BackendName;
}

/** The same seed gives the same weights with and without normalization. */
export function build(training: Training, options: BatchNormOptions<"float32"> = {}, makeNorm?: MakeNorm): Network {
  const { activation, initialStd, normalized, seed, backend } = training;
  const norm = { reuse: true, ...options, ...(backend !== undefined && { backend }) };
  const made = makeNorm === undefined ? {} : { makeNorm };
  return new Network(
    { activation, initialStd, norm: normalized ? norm : null, ...made },
    uniform(seed, Stream.weights),
  );
}
