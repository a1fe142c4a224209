// What is timed: groups of one shape, layout and data, each with the backends and operations that run in turns.
import { backends, type BackendName, type BackendStatus, type DType, type Layout } from "batchnorm";
import { layoutsOf, lengthOf, shapes, type NetworkShape, type Operation } from "../test/shapes.js";
import { DATA, type DataKind } from "../test/timed-data.js";
import type { Options } from "./options.js";
import { allows, TIMED, wantsCases, type TimedOperation } from "./selection.js";

/** What a tensor is made of. */
export interface Setting {
  readonly shape: NetworkShape;
  readonly layout: Layout;
  readonly data: DataKind;
  readonly dtype: DType;
}

/** A backend, and how many threads it is allowed. */
export interface Contender {
  readonly backend: BackendName;
  readonly threads: number;
  /** Without fresh outputs and passes that read y: those cost every backend alike. */
  readonly brief: boolean;
}

export interface Group extends Setting {
  readonly contenders: readonly Contender[];
  readonly operations: readonly TimedOperation[];
}

const LARGEST = "I";
/** Where the full run times every backend that works. */
const FEW = ["A", "B", "C", "F"];

/** The kernel work in a timed operation. */
export function kernelOf(operation: TimedOperation): Operation {
  return operation === "forward+read" ? "forward" : operation;
}

export function works({ status }: BackendStatus): boolean {
  return status === "in use" || status === "available";
}

/** The backends named, "native" being the best one. @throws Error for one that cannot be used. */
function named(names: readonly string[]): BackendName[] {
  const all = backends();
  const found = names.map((name) => {
    const matching = all.filter((backend) => backend.name === name || backend.name.startsWith(`${name}/`));
    const usable = matching.find(works);
    if (usable) return usable.name;
    throw new Error(`${name}: ${matching.map(({ reason }) => reason).join("; ")}`);
  });
  return [...new Set(found)];
}

function backendsFor({ backends: asked, quick }: Options, { name }: NetworkShape): BackendName[] {
  if (asked) return named(asked);
  const usable = backends().filter(works);
  const best = usable.find(({ status }) => status === "in use") ?? usable[0]!;
  if (quick || !FEW.includes(name)) return [best.name];
  const others = usable.filter((backend) => backend !== best && backend.name !== "oracle");
  return [best, ...others].map((backend) => backend.name);
}

/** All thread counts and outputs for those named and for the best; one thread, and briefly, for the rest. */
function contendersFor(options: Options, shape: NetworkShape): Contender[] {
  const { selection, threads: counts } = options;
  const all = backendsFor(options, shape);
  return all
    .filter((backend) => allows(selection, "backend", backend))
    .flatMap((backend): Contender[] => {
      if (backend !== all[0] && !options.backends && !selection.backend)
        return [{ backend, threads: counts[0]!, brief: true }];
      return counts.map((threads) => ({ backend, threads, brief: false }));
    });
}

function shapesOf({ selection, quick }: Options): readonly NetworkShape[] {
  const wanted = shapes.filter(({ name }) => allows(selection, "shape", name));
  return quick && !selection.shape ? wanted.filter(({ name }) => name !== LARGEST) : wanted;
}

export function planGroups(options: Options): Group[] {
  const { selection } = options;
  if (!wantsCases(selection)) return [];
  return shapesOf(options).flatMap((shape) => {
    const contenders = contendersFor(options, shape);
    const operations = TIMED.filter((op) => allows(selection, "op", op) && shape.operations.includes(kernelOf(op)));
    if (contenders.length === 0 || operations.length === 0) return [];
    return layoutsOf(shape)
      .filter((layout) => allows(selection, "layout", layout))
      .flatMap((layout) =>
        options.dtypes.flatMap((dtype) =>
          DATA.filter((data) => allows(selection, "data", data)).map((data): Group => ({
            shape,
            layout,
            data,
            dtype,
            contenders,
            operations,
          })),
        ),
      );
  });
}

/** 64 MB and more: a fresh output alone takes hundreds of milliseconds. */
export function isHuge(shape: NetworkShape): boolean {
  return lengthOf(shape) >= 2 ** 24;
}

/** A group's share of the time: a round of the largest tensors takes seconds. */
export function weightOf({ shape, contenders, operations }: Group): number {
  const thorough = contenders.filter(({ brief }) => !brief).length;
  return (contenders.length + 2 * thorough) * operations.length * (isHuge(shape) ? 5 : 1);
}
