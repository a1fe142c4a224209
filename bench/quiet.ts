// Whether the machine is quiet enough to measure on.
import { availableParallelism, loadavg } from "node:os";

export const QUIET_HELP =
  "  --quiet-check    end with exit code 1, in the place of a warning, where the machine is busy";

/** Of a core: what a machine that does nothing else has in the minute after a build ended. */
const LOAD = 0.25;
/** A tenth of the loops may take longer than this, by the shortest one. */
const SCATTER = 1.15;
const REPEATS = 60;
/** Of a loop: as long as a time slice of the system. */
const MILLISECONDS = 4;

export interface Observed {
  /** The number of processes that run or wait to run, averaged over a minute. */
  readonly load: number;
  readonly cores: number;
  /** Milliseconds of a loop that is always the same. */
  readonly loops: readonly number[];
}

/** What was seen and what to do, in a line; null where the machine is quiet. */
export function busy({ load, cores, loops }: Observed): string | null {
  const sorted = [...loops].sort((a, b) => a - b);
  const scatter = sorted[Math.floor(0.9 * sorted.length)]! / sorted[0]!;
  const seen = [
    load > LOAD * cores && `the load average is ${load.toFixed(1)} on ${cores} cores`,
    scatter > SCATTER && `a tenth of equal loops took over ${scatter.toFixed(2)} times as long as the shortest`,
  ].filter(Boolean);
  if (seen.length === 0) return null;
  return (
    `This machine is busy: ${seen.join(", and ")}. Times would be too long and scattered: end other programs, or ` +
    `wait until the load average is below ${(LOAD * cores).toFixed(1)}.`
  );
}

function spin(turns: number): number {
  const start = performance.now();
  let sum = 0;
  for (let i = 0; i < turns; i++) sum += Math.sqrt(i);
  // Without a use of the sum the loop could go.
  return performance.now() - start + 0 * sum;
}

export function observe(): Observed {
  let turns = 1000;
  // One loop may be long because something else ran.
  while (Math.min(spin(turns), spin(turns), spin(turns)) < MILLISECONDS) turns *= 2;
  const loops = Array.from({ length: REPEATS }, () => spin(turns));
  return { load: loadavg()[0]!, cores: availableParallelism(), loops };
}

/** The line of a busy machine, which `tell` gets. @throws Error with it where the check was asked for. */
export function checkQuiet(asked: boolean, tell: (line: string) => void, seen = observe()): string | null {
  const line = busy(seen);
  if (line === null) return null;
  if (asked) throw new Error(`${line} --quiet-check stops here.`);
  tell(line);
  return line;
}
