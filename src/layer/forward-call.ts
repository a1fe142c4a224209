// What the calls of a layer are between their steps.
import type { BackwardCall } from "../arguments/backward.js";
import type { GivenForward } from "../arguments/forward.js";
import type { ForwardArrays } from "../engine/forward.js";
import type { WholeMoments } from "../kernels/moments.js";
import type { RenormLimits, RenormMetrics } from "../policies/renorm.js";
import type { Saved } from "../values/saved.js";
import type { Asked, Mode } from "./mode.js";
import type { Moved, RunningTables } from "./running.js";

/** A forward that was checked. */
export interface BegunForward {
  readonly given: GivenForward;
  readonly asked: Asked;
  /** Moments that stand for the batch's own. */
  readonly moments: WholeMoments | null;
  readonly arrays: ForwardArrays;
  readonly running: RunningTables | null;
  /** Those of a renormalization. */
  readonly limits: RenormLimits | null;
  /** The weight of the batch in the running statistics; null: that of a mean over all batches. */
  readonly weight: number | null;
}

/** A forward that knows its statistics. */
export interface ForwardCall extends BegunForward {
  readonly mode: Mode;
}

/** A backward that was checked, and the token as the caller gave it. */
export interface BegunBackward {
  readonly token: Saved;
  readonly call: BackwardCall;
}

/** A forward whose output is written. */
export interface Normalized {
  readonly saved: Saved | null;
  /** What moves the running statistics and has not done so yet. */
  readonly moved: readonly Moved[];
  readonly renormed: RenormMetrics | undefined;
}
