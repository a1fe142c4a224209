// The results: a row for each operation, shape, layout, peer and thread count, with ratios to ours.
import type { Operation } from "../shapes.js";
import { median } from "../report/rows.js";
import { OURS } from "./ours.js";

/** What was to be timed. */
export interface CaseId {
  readonly shape: string;
  readonly layout: string;
  readonly op: Operation;
  readonly who: string;
  readonly version: string | null;
  readonly threads: number;
}

export interface Timed extends CaseId {
  readonly samples: number;
  readonly medianMs: number;
  readonly minMs: number;
  /** The largest relative difference from our result. */
  readonly error: number;
}

/** Median by that of ours on the same tensors; null where ours was not timed. */
export interface PeerRow extends Timed {
  /** Native, on as many threads. */
  readonly overNative: number | null;
  /** WebAssembly, one thread, arrays in an arena. */
  readonly overArena: number | null;
  /** The same with ordinary arrays. */
  readonly overWasm: number | null;
}

export interface Skipped extends CaseId {
  readonly reason: string;
}

export function timed(id: CaseId, samples: readonly number[], error: number): Timed {
  return { ...id, samples: samples.length, medianMs: median(samples), minMs: Math.min(...samples), error };
}

/** Rows of one operation, shape and layout. */
export function withRatios(rows: readonly Timed[]): PeerRow[] {
  const over = ({ medianMs }: Timed, who: string, threads: number): number | null => {
    const ours = rows.find((row) => row.who === who && row.threads === threads);
    return ours ? medianMs / ours.medianMs : null;
  };
  return rows.map((row) => ({
    ...row,
    overNative: over(row, OURS.native, row.threads),
    overArena: over(row, OURS.arena, 1),
    overWasm: over(row, OURS.wasm, 1),
  }));
}

/** What runs as machine code, and is compared with our native backend first; the others with WebAssembly. */
export function isNative(who: string): boolean {
  return ["onnxruntime-node", "pytorch", OURS.native].includes(who) || who.startsWith("onednn");
}

export function isOurs(who: string): boolean {
  return Object.values(OURS).some((name) => name === who);
}
