// Whether memory levels off: what is measured after each round of the same work.

/** The most of each third of the rounds. The first is for caches and compilers to fill. */
export function thirdsOf(levels: readonly number[]): readonly [number, number, number] {
  const third = Math.floor(levels.length / 3);
  const most = (part: number): number => Math.max(...levels.slice(part * third, (part + 1) * third));
  return [most(0), most(1), most(2)];
}

/** Whether the last third is above the second by more than what comes and goes. */
export function grows([, second, last]: readonly [number, number, number], slack: number): boolean {
  return last > second + slack;
}
