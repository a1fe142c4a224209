// On each shape and layout prepares, checks and times the peers.
import { extentOf, lengthOf, type Operation } from "../shapes.js";
import { isHuge } from "../plan.js";
import { collectGarbage } from "../measure/tensors.js";
import { toleranceFor } from "./check.js";
import { firstCall, reasonOf, resultOf } from "./first-call.js";
import type { PeerGroup, PeerOptions } from "./options.js";
import { prepareReference } from "./ours.js";
import { none, type Peer, type Prepared, type Problem, type Task } from "./peer.js";
import { makeProblem } from "./problem.js";
import { isLayer } from "./resnet50.js";
import { timeInTurns, type Bounds, type Entrant } from "./rounds.js";
import { isOurs, timed, withRatios, type CaseId, type PeerRow, type Skipped } from "./rows.js";

/** Values of a tensor whose garbage is worth collecting, and of one that a round takes long on. */
const SMALL = 2 ** 17;
const LARGE = 2 ** 22;

export interface Outcomes {
  readonly rows: PeerRow[];
  readonly skipped: Skipped[];
}

interface Ready {
  readonly peer: Peer;
  readonly prepared: Prepared;
}

/** One operation: a checked call of each peer, then the samples of those that passed. */
async function timeOperation(
  op: Operation,
  group: PeerGroup,
  ready: readonly Ready[],
  reference: Task | string | undefined,
  bounds: Omit<Bounds, "seconds" | "collect"> & { readonly end: number },
): Promise<Outcomes> {
  const expected = await resultOf(reference);
  const { outer, inner } = extentOf(group.shape, group.layout);
  const tolerance = toleranceFor(outer * inner);
  const entrants: (Entrant & { readonly id: CaseId; readonly error: number })[] = [];
  const skipped: Skipped[] = [];
  for (const { peer, prepared } of ready) {
    const { name: who, version, threads } = peer;
    const id: CaseId = { shape: group.shape.name, layout: group.layout, op, who, version, threads };
    const task = prepared.tasks[op];
    if (task === undefined) continue;
    const first = typeof task === "string" ? task : await firstCall(task, expected, tolerance);
    if (typeof first === "string") skipped.push({ ...id, reason: first });
    else if (typeof task !== "string") entrants.push({ id, task, spins: threads > 1 && !isOurs(who), ...first });
  }
  const seconds = Math.max(0, (bounds.end - performance.now()) / 1000);
  const collect = lengthOf(group.shape) >= SMALL ? collectGarbage : null;
  const samples = await timeInTurns(entrants, { ...bounds, seconds, collect });
  return { rows: withRatios(entrants.map(({ id, error }, i) => timed(id, samples[i]!, error))), skipped };
}

async function prepareAll(peers: readonly Peer[], problem: Problem, quick: boolean): Promise<Ready[]> {
  const ready: Ready[] = [];
  for (const peer of peers) {
    const isLong = isLayer(problem.setting.shape.name) || (quick && problem.x.length >= LARGE);
    if (peer.slow && isLong) {
      ready.push({ peer, prepared: none("takes seconds a call, left out") });
      continue;
    }
    try {
      ready.push({ peer, prepared: await peer.prepare(problem) });
    } catch (error) {
      ready.push({ peer, prepared: none(reasonOf(error)) });
    }
  }
  return ready;
}

/** A round of the largest tensors takes seconds. */
function weightOf({ shape, operations }: PeerGroup): number {
  return operations.length * (lengthOf(shape) >= LARGE ? 3 : 1) * (isHuge(shape) ? 3 : 1);
}

/** Divides the time that is left among the operations that are left. */
export async function runPeers(
  peers: readonly Peer[],
  groups: readonly PeerGroup[],
  { quick, seconds, rounds }: Pick<PeerOptions, "quick" | "seconds" | "rounds">,
  onDone: (what: string) => void,
): Promise<Outcomes> {
  const all: Outcomes = { rows: [], skipped: [] };
  const end = performance.now() + seconds * 1000;
  let weight = groups.reduce((sum, group) => sum + weightOf(group), 0);
  for (const group of groups) {
    const problem = makeProblem(group);
    const ready = await prepareAll(peers, problem, quick);
    const { tasks: references } = prepareReference(problem);
    const share = weightOf(group) / group.operations.length;
    for (const op of group.operations) {
      const start = performance.now();
      const until = start + (Math.max(0, end - start) * share) / weight;
      const { rows, skipped } = await timeOperation(op, group, ready, references[op], {
        end: until,
        most: rounds,
        warmUpMs: quick ? 15 : 60,
      });
      all.rows.push(...rows);
      all.skipped.push(...skipped);
      weight -= share;
      onDone([...new Set([group.shape.name, group.shape.shape.join("×"), group.layout, op])].join(" "));
    }
    for (const { prepared } of ready) await prepared.dispose();
  }
  return all;
}
