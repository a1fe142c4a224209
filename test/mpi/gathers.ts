// A rank that gathers arrays of many lengths, blocking and not, in smaller groups too, and reports what was wrong.
import { mpiGroup, type MpiGroup } from "../../src/mpi.js";
import { report } from "./rank.js";

/** On both sides of the length that goes with the header, and long. */
const LENGTHS = [0, 1, 2, 253, 254, 255, 256, 1000, 100_000];

/** Bits of every kind: NaN with a payload, infinities, −0, a subnormal number. */
const ODD = [NaN, Infinity, -Infinity, -0, 5e-324];

function valuesOf(rank: number, length: number, round: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => (i % 97 < 5 ? ODD[i % 97]! : rank * 1e6 + round * 1e3 + i / 7));
}

const bits = (values: Float64Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

const found: string[] = [];

function check(what: string, size: number, all: Float64Array, length: number, round: number, ids?: number[]): void {
  const expected = Buffer.concat(
    Array.from({ length: size }, (_, rank) => bits(valuesOf(ids?.[rank] ?? rank, length, round))),
  );
  if (!bits(all).equals(expected)) found.push(`${what}, length ${length}, round ${round}`);
}

async function inTurn(group: MpiGroup): Promise<void> {
  for (const [round, length] of LENGTHS.entries()) {
    const values = valuesOf(group.rank, length, round);
    const blocking = group.allGather(values);
    // The addon has its own copy, and the next gather does not overwrite a result.
    values.fill(-1);
    check("async", group.size, await group.allGatherAsync(valuesOf(group.rank, length, round)), length, round);
    check("blocking", group.size, blocking, length, round);
  }
}

/** Many at once, each with its own answer, while the event loop turns. */
async function atOnce(group: MpiGroup): Promise<void> {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const rounds = Array.from({ length: 40 }, (_, round) => round);
  await Promise.all(
    rounds.map(async (round) => {
      const length = LENGTHS[round % LENGTHS.length]!;
      const values = valuesOf(group.rank, length, round);
      const gathered = group.allGatherAsync(values);
      // Who detaches an array that is on its way harms nobody.
      structuredClone(values, { transfer: [values.buffer as ArrayBuffer] });
      check("at once", group.size, await gathered, length, round);
    }),
  );
  // Rank 0 comes late: the others wait without blocking.
  if (group.rank === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  const before = turns;
  await group.allGatherAsync(new Float64Array(3));
  if (group.rank !== 0 && turns - before < 4) found.push(`the event loop turned ${turns - before} times in 500 ms`);
  clearInterval(timer);
}

function inPart(group: MpiGroup): void {
  const even = Array.from({ length: group.size }, (_, rank) => rank).filter((rank) => rank % 2 === group.rank % 2);
  for (const ranks of [even, even, [...even].reverse()]) {
    const part = group.split(ranks);
    if (ranks[part.rank] !== group.rank || part.size !== ranks.length) found.push(`rank ${part.rank} of ${part.size}`);
    const all = part.allGather(valuesOf(group.rank, 300, 1));
    check("split", part.size, all, 300, 1, ranks);
    part.close();
  }
  check("after split", group.size, group.allGather(valuesOf(group.rank, 5, 2)), 5, 2);
}

const group = mpiGroup({ timeout: 30_000 });
await inTurn(group);
await atOnce(group);
inPart(group);
report(group.rank, { size: group.size, library: group.library, found });
