// Ranks as arguments: a rank, a list of some, and texts that name them.
import { checkInteger, describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";

/** Checks a rank of a group of `size`. */
export function checkRank(name: string, value: unknown, size: number): number {
  const rank = checkInteger(name, value, 0);
  if (rank >= size) throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected a rank below ${size}, got ${rank}`);
  return rank;
}

/** Checks the ranks of a new group: different ones, of which this rank is one. Returns a copy. */
export function checkedRanks(
  value: unknown,
  { rank, size }: { readonly rank: number; readonly size: number },
): number[] {
  if (!Array.isArray(value))
    throw typeError("ERR_BATCHNORM_TYPE", `"ranks" expected an array of ranks, got ${describe(value)}`);
  const ranks = value.map((one: unknown, i) => checkRank(`ranks[${i}]`, one, size));
  if (new Set(ranks).size !== ranks.length)
    throw rangeError("ERR_BATCHNORM_VALUE", `"ranks" expected different ranks, got [${ranks.join(", ")}]`);
  if (!ranks.includes(rank))
    throw rangeError(
      "ERR_BATCHNORM_VALUE",
      `"ranks" expected this rank, ${rank}, among them, got [${ranks.join(", ")}]`,
    );
  return ranks;
}

/** Checks a time limit in milliseconds, of which Infinity is none. */
export function checkTimeout(value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value !== "number")
    throw typeError("ERR_BATCHNORM_TYPE", `"timeout" expected a number, got ${describe(value)}`);
  if (!(value > 0))
    throw rangeError("ERR_BATCHNORM_VALUE", `"timeout" expected milliseconds greater than 0, got ${value}`);
  return value;
}

/** The time limit of a transport if nobody names one: slow steps of other ranks must fit. */
export const DEFAULT_TIMEOUT = 60_000;

/** Such as `rank 2` or `ranks 0 and 3`. */
export function textOfRanks(ranks: readonly number[]): string {
  if (ranks.length === 1) return `rank ${ranks[0]}`;
  return `ranks ${ranks.slice(0, -1).join(", ")} and ${ranks.at(-1)}`;
}
