// Groups of moments and of sums as arrays of numbers, one after another. Every rank decodes the arrays of all of them.
import type { GroupMoments, GroupSums } from "../layer/part.js";

/** The most columns of a channel, which runs of fewer than 16 values have. */
const MOST_COLUMNS = 16;

function joined(parts: readonly (Float64Array | readonly number[])[]): Float64Array {
  const all = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Takes parts of an array, one after another. */
class Reader {
  #at = 0;

  constructor(private readonly values: Float64Array) {}

  get isAtEnd(): boolean {
    return this.#at >= this.values.length;
  }

  take(length: number): Float64Array {
    return this.values.subarray(this.#at, (this.#at += length));
  }

  /** The number of columns of a channel. */
  takeColumns(): number {
    const columns = this.take(1)[0]!;
    if (columns >= 1 && columns <= MOST_COLUMNS) return columns;
    throw new RangeError(`a payload expected 1 to ${MOST_COLUMNS} columns, got ${columns}`);
  }
}

/** For each group: its columns per channel, Σw², W of each column, the means, and m2. */
export function encodeMoments(groups: readonly GroupMoments[]): Float64Array {
  return joined(
    groups.flatMap(({ counts, sumSquaredWeights, mean, m2 }) => [[counts.length, sumSquaredWeights], counts, mean, m2]),
  );
}

export function* decodeMoments(values: Float64Array, channels: number): Generator<GroupMoments> {
  const reader = new Reader(values);
  while (!reader.isAtEnd) {
    const columns = reader.takeColumns();
    const sumSquaredWeights = reader.take(1)[0]!;
    const counts = reader.take(columns);
    yield { counts, sumSquaredWeights, mean: reader.take(columns * channels), m2: reader.take(columns * channels) };
  }
}

/** For each group: its columns per channel, and two or three sums of each column. */
export function encodeSums(groups: readonly GroupSums[]): Float64Array {
  return joined(
    groups.flatMap(({ sumG, sumGX, sumSlope, columns }) => [[columns], sumG, sumGX, ...(sumSlope ? [sumSlope] : [])]),
  );
}

export function* decodeSums(values: Float64Array, channels: number, kinds: 2 | 3): Generator<GroupSums> {
  const reader = new Reader(values);
  while (!reader.isAtEnd) {
    const columns = reader.takeColumns();
    const length = columns * channels;
    const [sumG, sumGX] = [reader.take(length), reader.take(length)];
    yield { columns, sumG, sumGX, sumSlope: kinds === 3 ? reader.take(length) : null };
  }
}
