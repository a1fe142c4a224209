// How long a process waits for its first result, part by part: the figures that doctor shows.
import { createRequire } from "node:module";
import { timesSoFar } from "../backends/candidates.js";
import { BatchNorm } from "../layer/batch-norm.js";

const SHAPE = [8, 4, 8, 8];

export interface FirstResult {
  readonly backend: string;
  readonly shape: readonly number[];
  /** Of the build for `require`, which this process has not loaded otherwise. */
  readonly importMs: number;
  /** Finding and loading the binary or the module. */
  readonly loadMs: number;
  readonly selfCheckMs: number;
  /** A new layer and its forward, without the two parts above. */
  readonly forwardMs: number;
  readonly totalMs: number;
}

/** In a process that has used no backend yet. Null where the one that is asked for cannot be used, or files are not read. */
export function measureFirstResult(): FirstResult | null {
  try {
    const start = performance.now();
    createRequire(import.meta.url)("./index.cjs");
    const imported = performance.now();
    const bn = new BatchNorm(SHAPE[1]!);
    bn.forward(
      Float32Array.from({ length: 8 * 4 * 8 * 8 }, (_, i) => i % 7),
      SHAPE,
    );
    const end = performance.now();
    const { loadMs, selfCheckMs } = timesSoFar();
    return {
      backend: bn.backend,
      shape: SHAPE,
      importMs: imported - start,
      loadMs,
      selfCheckMs,
      forwardMs: end - imported - loadMs - selfCheckMs,
      totalMs: end - start,
    };
  } catch {
    return null; // the report says why by itself
  }
}
