// What data-parallel training is asked for.
import type { Training } from "../training.js";

export const GROUPS = ["one", "workers", "mpi"] as const;
export type GroupName = (typeof GROUPS)[number];

export interface Parallel {
  readonly group: GroupName;
  /** Null where it is the launcher's to say, or the default. */
  readonly ranks: number | null;
  readonly training: Training;
  /** Prints the result as JSON. */
  readonly json: boolean;
}
