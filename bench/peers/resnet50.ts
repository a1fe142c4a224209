// What the batch normalizations of ResNet-50 take together, at batch 32.
import { groupBy } from "../report/rows.js";
import { milliseconds } from "../report/table.js";
import type { NetworkShape, Operation } from "../shapes.js";
import { OURS } from "./ours.js";
import { notesOf, ratio, type Section } from "./report.js";
import type { PeerRow, Skipped } from "./rows.js";

/** Channels, height and width, and how many of the 53 layers have them. The 3×3 convolutions have the strides. */
const SIZES = [
  [64, 112, 1],
  [64, 56, 6],
  [256, 56, 4],
  [128, 56, 1],
  [128, 28, 7],
  [512, 28, 5],
  [256, 28, 1],
  [256, 14, 11],
  [1024, 14, 7],
  [512, 14, 1],
  [512, 7, 5],
  [2048, 7, 4],
] as const;

const TRAINING = ["forward", "backward"] as const satisfies readonly Operation[];

/** Each shape once. Its name is its dimensions. */
export const LAYERS: readonly (NetworkShape & { readonly count: number })[] = SIZES.map(([channels, size, count]) => {
  const shape = [32, channels, size, size] as const;
  return { name: shape.join("×"), shape, operations: TRAINING, count };
});

/** Whether a shape of that name is a layer's, and none with a letter. */
export function isLayer(shape: string): boolean {
  return LAYERS.some(({ name }) => name === shape);
}

/** Milliseconds of all layers, the sum of medians; NaN where one was not timed. */
function total(rows: readonly PeerRow[], layout: string, ops: readonly Operation[]): number {
  const times = LAYERS.flatMap(({ name, count }) =>
    ops.map((op) => {
      const row = rows.find((one) => one.shape === name && one.layout === layout && one.op === op);
      return row ? count * row.medianMs : NaN;
    }),
  );
  return times.reduce((a, b) => a + b, 0);
}

/** null where no layer was timed. */
export function resnetSection(all: readonly PeerRow[], skipped: readonly Skipped[]): Section | null {
  const rows = all.filter(({ shape }) => isLayer(shape));
  if (rows.length === 0) return null;
  const layouts = [...new Set(rows.map(({ layout }) => layout))];
  const lines = [...groupBy(rows, ({ who, threads }) => `${who} ${threads}`).values()].map((own) => {
    const { who, threads } = own[0]!;
    const native = rows.filter((row) => row.who === OURS.native && row.threads === threads);
    const cells = layouts.flatMap((layout) => {
      const times = [...TRAINING.map((op) => [op]), TRAINING].map((ops) => total(own, layout, ops));
      const over = total(own, layout, TRAINING) / total(native, layout, TRAINING);
      return [...times.map((time) => (time > 0 ? milliseconds(time) : "–")), ratio(over > 0 ? over : null)];
    });
    return [who, String(threads), ...cells];
  });
  const head = layouts.flatMap((layout) => [...TRAINING, "both", "× native"].map((what) => `${what}, ${layout}`));
  return {
    title: "The 53 batch normalizations of ResNet-50 at batch 32, ms",
    cells: { head: ["", "threads", ...head], rows: lines },
    rows: [],
    notes: [
      `A sum of medians: each of the ${LAYERS.length} different shapes was timed alone, and counts as often as it occurs.`,
      ...notesOf(skipped.filter(({ shape }) => isLayer(shape))),
    ],
  };
}
