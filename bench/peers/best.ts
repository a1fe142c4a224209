// One chart of all cases: our native backend beside the fastest peer of each, on one thread.
import { groupBy } from "../report/rows.js";
import { renderBars } from "./bars.js";
import { isOurs, type PeerRow } from "./rows.js";

const COLORS = ["#2f6f9f", "#d1803f", "#7fb069", "#8e6bb0", "#c4576b"];

export interface Best {
  /** "A forward, channels-first". */
  readonly name: string;
  readonly peer: string;
  /** The peer's time by ours: above 1 we are faster. */
  readonly ratio: number;
}

/** A line for each case that ours and a peer were timed on. The first is the one where ours is best. */
export function bestPeers(rows: readonly PeerRow[]): Best[] {
  const peers = rows.filter(({ who, threads, overNative }) => threads === 1 && !isOurs(who) && overNative !== null);
  return [...groupBy(peers, ({ shape, op, layout }) => `${shape} ${op}, ${layout}`)]
    .map(([name, group]) => {
      const best = group.reduce((a, b) => (b.medianMs < a.medianMs ? b : a));
      return { name, peer: best.who, ratio: best.overNative! };
    })
    .sort((a, b) => b.ratio - a.ratio);
}

/** Bars in the colours of the peers; null where there are none. */
export function bestChart(rows: readonly PeerRow[]): string | null {
  const lines = bestPeers(rows);
  if (lines.length === 0) return null;
  const bars = [...new Set(lines.map(({ peer }) => peer))].map((name, i) => ({
    name,
    color: COLORS[i % COLORS.length]!,
    ratios: lines.map(({ peer, ratio }) => (peer === name ? ratio : null)),
  }));
  const title = "time of the fastest peer by ours, on one thread";
  return renderBars(bars, { lines: lines.map(({ name }) => name), title, base: 2, gap: 4, single: true });
}
