// The ranks of one process, which take turns: a gather is there as soon as all of them have called it. What is trained so
// needs no other thread and no other process, and shows what they must give.
import type { Group } from "batchnorm/sync";

export function ranksInTurns(size: number): Group[] {
  let called = 0;
  let all = new Float64Array(0);
  let waiting: ((all: Float64Array) => void)[] = [];
  const gather = (rank: number, values: Float64Array): Promise<Float64Array> => {
    if (called === 0) all = new Float64Array(size * values.length);
    all.set(values, rank * values.length);
    const gathered = new Promise<Float64Array>((resolve) => waiting.push(resolve));
    if (++called === size) {
      const [ready, found] = [waiting, all];
      [called, waiting] = [0, []];
      for (const resolve of ready) resolve(found.slice());
    }
    return gathered;
  };
  return Array.from({ length: size }, (_, rank) => ({ rank, size, allGather: (values) => gather(rank, values) }));
}
