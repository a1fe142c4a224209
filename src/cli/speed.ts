// How long a small forward takes here beside copying its tensor: the figure that doctor shows.
import type { BackendName } from "../backends/candidates.js";
import { medianOf } from "./bench-run.js";
import { arraysOf, copyOf, operationsOf, type Shape } from "./bench-subject.js";

/** Large enough for a call to cost nothing beside its loops, and small enough for plain JavaScript without a compiler. */
const SHAPE: Shape = { shape: [32, 64, 14, 14], layout: "channels-first" };
const LEAST_ROUNDS = 3;
const SECONDS = 0.2;

export interface Speed {
  readonly backend: BackendName;
  readonly shape: readonly number[];
  readonly forwardMs: number;
  readonly copyMs: number;
  /** The time of the forward divided by that of the copy. */
  readonly ratio: number;
}

export function measureSpeed(backend: BackendName): Speed {
  const arrays = arraysOf(SHAPE);
  const copy = copyOf(arrays);
  const { forward } = operationsOf(backend, SHAPE, arrays);
  const times = { forward: [forward()], copy: [copy()] };
  const start = performance.now();
  // In turns, and without the first, in which code and memory are new.
  for (let round = 0; round < LEAST_ROUNDS || performance.now() - start < 1000 * SECONDS; round++) {
    times.copy.push(copy());
    times.forward.push(forward());
  }
  const [forwardMs, copyMs] = [medianOf(times.forward.slice(1)), medianOf(times.copy.slice(1))];
  return { backend, shape: SHAPE.shape, forwardMs, copyMs, ratio: forwardMs / copyMs };
}
