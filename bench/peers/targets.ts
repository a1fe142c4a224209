// What our WebAssembly is to be faster than, and by how much.
import { OURS } from "./ours.js";
import type { PeerRow } from "./rows.js";

interface Target {
  readonly who: string;
  readonly factor: number;
  /** One case in the place of all. */
  readonly only?: Pick<PeerRow, "shape" | "layout" | "op">;
}

export const TARGETS: readonly Target[] = [
  { who: "tfjs-wasm", factor: 15 },
  { who: "onnxruntime-web", factor: 4 },
  { who: "plain-js", factor: 5 },
  { who: "pytorch", factor: 1, only: { shape: "A", layout: "channels-first", op: "forward" } },
];

export interface Factor {
  readonly shape: string;
  readonly layout: string;
  readonly op: string;
  readonly factor: number;
}

export interface Outcome {
  readonly who: string;
  readonly ours: string;
  readonly target: number;
  /** By all cases that both were timed on, the least first. */
  readonly factors: readonly Factor[];
  readonly met: number;
}

/** One thread on either side. A target whose peer was not timed has no factors. */
export function outcomes(rows: readonly PeerRow[]): Outcome[] {
  const single = rows.filter(({ threads }) => threads === 1);
  return TARGETS.flatMap(({ who, factor: target, only }) =>
    (["overArena", "overWasm"] as const).map((ratio): Outcome => {
      const factors = single
        .filter((row) => row.who === who && row[ratio] !== null)
        .filter(({ shape, layout, op }) => !only || (shape === only.shape && layout === only.layout && op === only.op))
        .map((row): Factor => ({ shape: row.shape, layout: row.layout, op: row.op, factor: row[ratio]! }))
        .sort((a, b) => a.factor - b.factor);
      const ours = ratio === "overArena" ? OURS.arena : OURS.wasm;
      return { who, ours, target, factors, met: factors.filter(({ factor }) => factor >= target).length };
    }),
  );
}
