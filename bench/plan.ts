// What is timed: groups of one shape, layout and data, each with the backends and operations that run in turns.
import { backends, type BackendName, type BackendStatus, type DType, type Layout } from "batchnorm";
import { layoutsOf, lengthOf, OPERATIONS, shapes, type NetworkShape, type Operation } from "./shapes.js";
import { DATA, type DataKind } from "./timed-data.js";
import type { Options } from "./options.js";
import { allows, TIMED, wantsShapes, type Memory, type TimedOperation, type Variant } from "./selection.js";
import { ENOUGH, sweepsOf } from "./sweep.js";

/** What a tensor is made of, and what is done with it. */
export interface Setting {
  readonly shape: NetworkShape;
  readonly layout: Layout;
  readonly data: DataKind;
  readonly dtype: DType;
  readonly variant: Variant;
}

/** A backend, how many threads it is allowed, and where its arrays are. */
export interface Contender {
  readonly backend: BackendName;
  readonly threads: number;
  readonly memory: Memory;
  /** Without fresh outputs and passes that read y: those cost every backend alike. */
  readonly brief: boolean;
}

export interface Group extends Setting {
  readonly contenders: readonly Contender[];
  readonly operations: readonly TimedOperation[];
  /** One of a sweep over sizes, without floors and copies but the one that ratios are to. */
  readonly sweep: boolean;
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

/** Those asked for, or all that work, the best first. */
function usableBackends({ backends: asked }: Options): BackendName[] {
  if (asked) return named(asked);
  const usable = backends().filter(works);
  const best = usable.find(({ status }) => status === "in use") ?? usable[0]!;
  return [best, ...usable.filter((backend) => backend !== best)].map(({ name }) => name);
}

function backendsFor(options: Options, { name }: NetworkShape): BackendName[] {
  const usable = usableBackends(options);
  if (options.backends) return usable;
  const few = options.quick || !FEW.includes(name);
  return few ? usable.slice(0, 1) : usable.filter((backend, i) => i === 0 || backend !== "oracle");
}

/** All thread counts and outputs for those named and for the best, `all[0]`; one thread, and briefly, for the rest. */
function contendersOf(options: Options, all: readonly BackendName[]): Contender[] {
  const { selection, threads: counts, memories } = options;
  return all
    .filter((backend) => allows(selection, "backend", backend))
    .flatMap((backend) => {
      const brief = backend !== all[0] && !options.backends && !selection.backend;
      return memories
        .filter((memory) => memory === "ordinary" || backend === "wasm")
        .flatMap((memory) =>
          (brief ? counts.slice(0, 1) : counts).map((threads): Contender => ({ backend, threads, memory, brief })),
        );
    });
}

/** Whether a contender works on elements of a type where they are: WASM converts those of 16 bits on the way in. */
function takes({ backend, memory }: Contender, dtype: DType): boolean {
  const lacks = backends().find(({ name }) => name === backend)?.lacks ?? [];
  return !lacks.includes(dtype) && (memory === "ordinary" || dtype === "float32" || dtype === "float64");
}

function shapesOf({ selection, quick }: Options): readonly NetworkShape[] {
  const wanted = shapes.filter(({ name }) => allows(selection, "shape", name));
  return quick && !selection.shape ? wanted.filter(({ name }) => name !== LARGEST) : wanted;
}

/** Every element type with every variant and kind of data. */
function settingsOf({ dtypes, variants, selection }: Options): Pick<Setting, "dtype" | "variant" | "data">[] {
  const data = DATA.filter((kind) => allows(selection, "data", kind));
  return dtypes.flatMap((dtype) => variants.flatMap((variant) => data.map((kind) => ({ dtype, variant, data: kind }))));
}

function shapeGroups(options: Options): Group[] {
  const { selection } = options;
  if (!wantsShapes(selection)) return [];
  return shapesOf(options).flatMap((shape) => {
    const contenders = contendersOf(options, backendsFor(options, shape));
    const operations = TIMED.filter((op) => allows(selection, "op", op) && shape.operations.includes(kernelOf(op)));
    if (contenders.length === 0 || operations.length === 0) return [];
    return layoutsOf(shape)
      .filter((layout) => allows(selection, "layout", layout))
      .flatMap((layout) =>
        settingsOf(options).map(({ dtype, variant, data }): Group => ({
          shape,
          layout,
          data,
          dtype,
          variant,
          contenders: contenders.filter((one) => takes(one, dtype)),
          operations,
          sweep: false,
        })),
      );
  });
}

/** Every backend that works, the oracle too as long as its calls take seconds at most, on Gaussian data. */
function sweepGroups(options: Options): Group[] {
  const { selection } = options;
  const operations = OPERATIONS.filter((op) => allows(selection, "op", op));
  const contenders = contendersOf(options, usableBackends(options)).map((one) => ({ ...one, brief: true }));
  if (operations.length === 0) return [];
  return sweepsOf(options)
    .filter(({ layout }) => allows(selection, "layout", layout))
    .flatMap((place) => {
      const quick = contenders.filter(({ backend }) => backend !== "oracle" || lengthOf(place.shape) <= ENOUGH);
      const common = {
        ...place,
        data: "gaussian",
        variant: "plain",
        contenders: quick,
        operations,
        sweep: true,
      } as const;
      return options.dtypes
        .map((dtype): Group => ({ ...common, dtype, contenders: quick.filter((one) => takes(one, dtype)) }))
        .filter(({ contenders: some }) => some.length > 0);
    });
}

/** Sweeps first: what they take beyond their share, the shapes make up for. */
export function planGroups(options: Options): Group[] {
  return [...sweepGroups(options), ...shapeGroups(options)];
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
