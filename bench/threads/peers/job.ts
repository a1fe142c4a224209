// What the page compares: each shape in both layouts, and who takes part.
import { isHuge } from "../../plan.js";
import { layoutsOf, type NetworkShape, type Operation } from "../../shapes.js";
import type { PeerSetting } from "../../peers/options.js";

export interface Job {
  /** Of each library, the page's own one included. */
  readonly threads: number;
  readonly rounds: number;
  readonly settings: readonly PeerSetting[];
}

/** A case that was timed, as the page tells it. */
export interface Row {
  readonly shape: string;
  readonly layout: string;
  readonly op: Operation;
  readonly who: string;
  /** That it was allowed; of ours, those that worked, at most. */
  readonly threads: number;
  readonly medianMs: number;
  readonly minMs: number;
  readonly samples: number;
  /** The largest difference from our result, by its largest value. */
  readonly error: number;
}

export interface Skipped extends Pick<Row, "shape" | "layout" | "op" | "who"> {
  readonly reason: string;
}

export interface Compared {
  readonly rows: readonly Row[];
  readonly skipped: readonly Skipped[];
  /** How the threads of each library were checked, in a line. */
  readonly checks: readonly string[];
}

export function settingsOf(shapes: readonly NetworkShape[]): PeerSetting[] {
  return shapes.flatMap((shape) =>
    layoutsOf(shape).map((layout): PeerSetting => ({
      shape,
      layout,
      data: "gaussian",
      dtype: "float32",
      variant: "plain",
    })),
  );
}

/** Seconds for the rounds of one operation; slow libraries have fewer rounds, the slowest one call. */
export function secondsFor({ shape }: Pick<PeerSetting, "shape">): number {
  return isHuge(shape) ? 20 : 8;
}

/** Of a whole run: tensors are made and first calls are checked beside the rounds. */
export function minutesFor(settings: readonly PeerSetting[]): number {
  const seconds = settings.reduce((sum, one) => sum + one.shape.operations.length * secondsFor(one), 0);
  return Math.ceil((1.3 * seconds) / 60);
}
