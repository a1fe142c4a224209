// Times everything in turns: what the machine does beside it falls on the copy and on every backend alike.
import { backends } from "../backends/backend.js";
import type { BackendName } from "../backends/candidates.js";
import {
  OPERATIONS,
  SHAPES,
  arraysOf,
  copyOf,
  isTimed,
  operationsOf,
  sizeOf,
  type Operation,
  type Shape,
  type Timed,
} from "./bench-subject.js";

export interface BackendTime {
  readonly backend: BackendName;
  readonly ms: number;
  /** To copying the tensor. */
  readonly ratio: number;
}

export interface Row {
  readonly shape: readonly number[];
  readonly layout: string;
  readonly operation: Operation;
  readonly copyMs: number;
  readonly times: readonly BackendTime[];
}

/** One thing that is timed, and its times so far. */
interface Series {
  readonly timed: Timed;
  readonly times: number[];
}

interface Subject {
  readonly shape: Shape;
  /** How often in a row: a small tensor's median would else be that of calls whose code and data left the cache. */
  readonly repeats: number;
  readonly copy: Series;
  readonly series: readonly (Series & { readonly backend: BackendName; readonly operation: Operation })[];
}

const SMALL = 50_000;
const SMALL_REPEATS = 50;

function subjectOf(shape: Shape, names: readonly BackendName[]): Subject {
  const arrays = arraysOf(shape);
  return {
    shape,
    repeats: sizeOf(shape) <= SMALL ? SMALL_REPEATS : 1,
    copy: { timed: copyOf(arrays), times: [] },
    series: names
      .filter((name) => isTimed(name, shape))
      .flatMap((backend) => {
        const operations = operationsOf(backend, shape, arrays);
        return OPERATIONS.map((operation) => ({ backend, operation, timed: operations[operation], times: [] }));
      }),
  };
}

/** Each once untimed first: behind a slow one caches are cold and threads asleep. */
function runOnce({ copy, series, repeats }: Subject): void {
  for (const { timed, times } of [copy, ...series]) {
    timed();
    for (let i = 0; i < repeats; i++) times.push(timed());
  }
}

/** Upper median, at the timer's resolution or above: a ratio to 0 says nothing. */
export function medianOf(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.max(sorted[sorted.length >> 1]!, 1e-6);
}

function rowsOf({ shape: { shape, layout }, copy, series }: Subject): Row[] {
  const copyMs = medianOf(copy.times);
  return OPERATIONS.map((operation) => ({
    shape,
    layout,
    operation,
    copyMs,
    times: series
      .filter((one) => one.operation === operation)
      .map(({ backend, times }) => ({ backend, ms: medianOf(times), ratio: medianOf(times) / copyMs })),
  }));
}

export interface Result {
  readonly rounds: number;
  readonly rows: readonly Row[];
}

/** Rounds over all shapes until the time is up, at least one after one that warms up. */
export function runBench(seconds: number, onRound: (elapsed: number) => void): Result {
  const usable = backends().filter(({ status }) => status === "in use" || status === "available");
  const subjects = SHAPES.map((shape) =>
    subjectOf(
      shape,
      usable.map(({ name }) => name),
    ),
  );
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  for (const subject of subjects) runOnce(subject);
  for (const { copy, series } of subjects) for (const { times } of [copy, ...series]) times.length = 0;
  let rounds = 0;
  do {
    for (const subject of subjects) {
      runOnce(subject);
      onRound(elapsed());
    }
    rounds++;
  } while (elapsed() < seconds);
  return { rounds, rows: subjects.flatMap(rowsOf) };
}
