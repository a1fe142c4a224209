// The results: a row for each operation, shape, layout, backend, thread count, memory, output and data.
import { backends, type DType } from "batchnorm";
import type { DataKind } from "../timed-data.js";
import type { CaseId } from "../measure/cases.js";
import type { Variant } from "../selection.js";

/** A case of one group, without its times. */
export interface RowId extends CaseId {
  readonly shape: string;
  readonly layout: string;
  readonly dtype: DType;
  readonly variant: Variant;
  readonly data: DataKind;
}

export interface Row extends RowId {
  readonly medianMs: number;
  readonly minMs: number;
  /** Bytes of the tensors an operation reads and writes, each once, by the median. */
  readonly gbPerSecond: number;
  /** Median by the median of copying x to y on as many threads, in the same run. */
  readonly copyRatio: number;
}

const TENSORS = {
  copy: 2,
  "copy+read": 3,
  forward: 2,
  "forward+read": 3,
  "forward floor": 2,
  inference: 2,
  backward: 3,
  "backward floor": 3,
} as const;

/** Whether a case is what the library is compared with. */
export function isYardstick(op: CaseId["op"]): boolean {
  return op.startsWith("copy") || op.endsWith("floor");
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** GB/s of a tensor of that many bytes. */
export function throughput(op: CaseId["op"], bytes: number, milliseconds: number): number {
  return (TENSORS[op] * bytes) / (milliseconds * 1e6);
}

export function rowOf(id: RowId, samples: readonly number[], bytes: number, copy: readonly number[]): Row {
  const medianMs = median(samples);
  return {
    ...id,
    medianMs,
    minMs: Math.min(...samples),
    gbPerSecond: throughput(id.op, bytes, medianMs),
    copyRatio: medianMs / median(copy),
  };
}

/** The type of the elements, and what is special about the calls. */
export function typeOf({ dtype, variant }: Pick<RowId, "dtype" | "variant">): string {
  return variant === "plain" ? dtype : `${dtype}, ${variant}`;
}

/** What one figure is of, whatever the data; `out` apart, because the two stand side by side. */
export function subjectOf(row: RowId): string {
  const { shape, layout, op, backend, threads, memory } = row;
  return [shape, layout, typeOf(row), op, backend, threads, memory].join(" ");
}

type Contending = Pick<Row, "backend" | "threads" | "memory">;
const ORDER = backends().map(({ name }) => name as string);

/** Who did the work, as charts and tables call it. */
export function contenderOf({ backend, threads, memory }: Contending): string {
  return [backend, ...(threads > 1 ? [`${threads} threads`] : []), ...(memory === "arena" ? ["arena"] : [])].join(", ");
}

/** As backends() lists them, then by threads, then arenas; copies last. */
export function byContender(a: Contending, b: Contending): number {
  const place = ({ backend }: Contending): number => (ORDER.includes(backend) ? ORDER.indexOf(backend) : ORDER.length);
  return place(a) - place(b) || a.threads - b.threads || b.memory.localeCompare(a.memory);
}

/** What charts show: the type and the calls that most use. */
export function isOrdinary({ dtype, variant }: RowId): boolean {
  return dtype === "float32" && variant === "plain";
}

/** Those on one thread and on the most there are: how it goes in between is for the chart of threads. */
export function oneAndMost(rows: readonly Row[]): Row[] {
  const most = Math.max(...rows.map(({ threads }) => threads));
  return rows.filter(({ threads }) => threads === 1 || threads === most);
}

/** Rows of one key, in order of appearance. */
export function groupBy<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group) group.push(row);
    else groups.set(keyOf(row), [row]);
  }
  return groups;
}

/** The launches' rows as one: the median of their medians and ratios, the least of their minima. */
export function mergeLaunches(launches: readonly (readonly Row[])[]): Row[] {
  const groups = groupBy(launches.flat(), (row) => `${subjectOf(row)} ${row.out} ${row.data}`);
  return [...groups.values()].map((rows) => {
    const medianMs = median(rows.map((row) => row.medianMs));
    const first = rows[0]!;
    return {
      ...first,
      medianMs,
      minMs: Math.min(...rows.map((row) => row.minMs)),
      gbPerSecond: (first.gbPerSecond * first.medianMs) / medianMs,
      copyRatio: median(rows.map((row) => row.copyRatio)),
    };
  });
}

/** What `a` take by what `b` take on the same data, the median over the data; null where they share none. */
export function quotientOf(a: readonly Row[], b: readonly Row[]): number | null {
  const quotients = a.flatMap(({ data, medianMs }) => {
    const other = b.find((row) => row.data === data);
    return other ? [medianMs / other.medianMs] : [];
  });
  return quotients.length > 0 ? median(quotients) : null;
}

/** The figure of rows that differ in their data: the one with the worst ratio. */
export function worst(rows: readonly Row[]): Row {
  return rows.reduce((a, b) => (b.copyRatio > a.copyRatio ? b : a));
}
