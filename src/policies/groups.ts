// Sums over a batch that comes in parts, in the order of the contract: group by group, and column by column. So they are
// those of the whole batch, to the bit, where the parts end where groups end.
import type { Later } from "../base/later.js";
import type { Data } from "../base/types.js";
import type { GradSums } from "../engine/backward.js";
import type { Batch } from "../engine/statistics.js";
import type { WholeMoments } from "../kernels/moments.js";
import type { Saved } from "../values/saved.js";
import { MergedMoments, forMomentsOfGroups } from "./group-moments.js";
import { AddedGradSums, GRAD_SUMS, forGradSumsOfGroups, type WantedSums } from "./group-sums.js";
import type { WorkspaceFor } from "./pieces.js";

/** The moments of a batch, part by part. All parts have the same channels, and runs of the same length. */
export class GroupedMoments {
  readonly #merged: MergedMoments;

  constructor(channels: number) {
    this.#merged = new MergedMoments(channels);
  }

  add(batch: Batch, workspaceFor: WorkspaceFor): Later<void> {
    return forMomentsOfGroups(batch, workspaceFor, false, (group) => this.#merged.add(group));
  }

  /** Of nothing, they are 0. */
  total(): WholeMoments {
    return this.#merged.total();
  }
}

/** The sums that a backward needs, part by part. */
export class GroupedGradSums {
  readonly #added: AddedGradSums;

  constructor(
    channels: number,
    private readonly wanted: WantedSums = GRAD_SUMS,
  ) {
    this.#added = new AddedGradSums(channels);
  }

  add(token: Saved, dy: Data, workspaceFor: WorkspaceFor): Later<void> {
    return forGradSumsOfGroups(token, dy, workspaceFor, false, (sums) => this.#added.add(sums), this.wanted);
  }

  total(): GradSums {
    return this.#added.total();
  }
}
