// What a gather that failed says.
import { textOfRanks } from "../sync/ranks.js";

export interface Failure {
  readonly message: string;
  readonly ranks: readonly number[];
}

/** `lengths` are those of all ranks. What most ranks passed is taken for right. */
export function mismatch(lengths: Float64Array): Failure {
  const counts = new Map<number, number>();
  for (const length of lengths) counts.set(length, (counts.get(length) ?? 0) + 1);
  const [usual] = [...counts].reduce((most, one) => (one[1] > most[1] ? one : most));
  const ranks = [...lengths.keys()].filter((rank) => lengths[rank] !== usual);
  const got = ranks.map((rank) => lengths[rank]).join(", ");
  return { message: `${textOfRanks(ranks)} passed ${got} values, and the others passed ${usual}`, ranks };
}

/** `heard` are the numbers of the calls that the ranks said they wait in; this rank waits in call `number`. */
export function late(rank: number, heard: Float64Array, number: number, limit: number): Failure {
  const ranks = [...heard.keys()].filter((other) => other !== rank && heard[other]! < number);
  const message =
    ranks.length === 0
      ? `all ranks are there, but their values did not arrive within ${limit} ms`
      : `${textOfRanks(ranks)} did not come within ${limit} ms`;
  return { message, ranks };
}
