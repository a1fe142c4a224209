// How a call goes through a memory: tile by tile, or as its parts one after another.
import { after, type Later } from "../../base/later.js";
import { gradCoefficients } from "../../kernels/coefficients.js";
import type { Control } from "../../kernels/control.js";
import type { KernelName } from "../../kernels/operands.js";
import type { Call } from "./calls.js";
import { holdsChannels, type Staging } from "./staging.js";
import { tileForElements, tileForSums, type Step } from "./tiles.js";

const TILES: Record<KernelName, typeof tileForSums> = {
  moments: tileForSums,
  normalize: tileForElements,
  gradSums: tileForSums,
  gradInput: tileForElements,
  forward: tileForSums,
  backward: tileForSums,
  zeroMasked: tileForElements,
};

/** Runs a kernel on operands of any kind. */
type Runner<T> = (kernel: KernelName, operands: readonly (T | null)[]) => Later<void>;
type Composed = <T>(run: Runner<T>, control: Control, operands: readonly (T | null)[]) => Later<void>;

/** The fused kernels as their parts: where a tile does not hold whole channels, each part goes over all tiles first. */
const COMPOSED: Partial<Record<KernelName, Composed>> = {
  forward: (run, _control, [x = null, y = null, residual = null, w = null]) =>
    after(run("moments", [x, w]), () => run("normalize", [x, y, residual])),
  backward: (run, control, [x = null, dy = null, dx = null, residualOrY = null, dresidual = null, w = null]) =>
    after(run("gradSums", [x, dy, residualOrY]), () => {
      gradCoefficients(control);
      return run("gradInput", [x, dy, dx, residualOrY, dresidual, w]);
    }),
};

interface Plan {
  /** The size of the tiles. */
  readonly step: Step;
  /** Whether the kernel sums. Others treat each element alone. */
  readonly sums: boolean;
  /** Runs the call as its parts; null where it runs as it is. */
  readonly composed: Composed | null;
}

export function planOf(staging: Staging, control: Control, call: Call<unknown>): Plan {
  const { kernel } = call;
  const tiling = TILES[kernel];
  const step = staging.stepOf(control, call, tiling);
  const isWhole = holdsChannels(control, step) || !Object.hasOwn(COMPOSED, kernel);
  return { step, sums: tiling === tileForSums, composed: isWhole ? null : COMPOSED[kernel]! };
}
