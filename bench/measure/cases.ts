// The functions that are timed: a group's operations on its backends, with and without `out`, and the copies.
import type { BatchNorm, DType, Saved } from "batchnorm";
import type { Data } from "../../src/base/types.js";
import { extentOf, shapeIn } from "../shapes.js";
import type { Used } from "./check.js";
import { setCopy, type Copies } from "./copy.js";
import { makeLayer, optionsOf } from "./layer.js";
import { kernelOf, type Contender, type Group } from "../plan.js";
import type { Memory, TimedOperation } from "../selection.js";
import { asFloats, operandsIn, type Operands, type Tensors } from "./tensors.js";

/** Where an output comes from: `out`, the same array each time, or a fresh one for every call. */
export type Output = "given" | "fresh";

export interface CaseId {
  readonly op: TimedOperation | "copy" | "copy+read" | "forward floor" | "backward floor";
  /** Of a copy or a floor: "memcpy" or "plain", "streaming", or "y.set(x)". */
  readonly backend: string;
  /** Those the calls really used. */
  readonly threads: number;
  /** Where its arrays are. */
  readonly memory: Memory;
  readonly out: Output;
}

export interface TimedCase extends CaseId {
  readonly run: () => void;
  /** Milliseconds of a call of the backend before, when its bits were checked; 0 for copies and floors. */
  readonly checkedMs: number;
}

/** What copies and floors have in common. */
const BARE = { memory: "ordinary", out: "given", checkedMs: 0 } as const;

/** The copy whose median is 1 in every ratio. */
export function yardstick({ missing }: Pick<Copies, "missing">): string {
  return missing === undefined ? "memcpy" : "y.set(x)";
}

function copyCases({ sweep }: Group, tensors: Tensors, copies: Copies, threads: number): TimedCase[] {
  const [x, out] = [asFloats(tensors.x), asFloats(tensors.out)];
  const { copy, streamCopy, read, missing } = copies;
  const one = (backend: string, op: "copy" | "copy+read", run: () => void): TimedCase[] => [
    { op, backend, threads, run, ...BARE },
  ];
  const measure = one(yardstick(copies), "copy", () => copy(x, out, threads));
  if (sweep) return measure;
  const readAfter = (run: typeof copy) => () => {
    run(x, out, threads);
    read!(out, threads);
  };
  return [
    ...measure,
    ...(missing === undefined && threads === 1 ? one("y.set(x)", "copy", () => setCopy(x, out)) : []),
    ...(streamCopy ? one("streaming", "copy", () => streamCopy(x, out, threads)) : []),
    ...(read ? one("memcpy", "copy+read", readAfter(copy)) : []),
    ...(streamCopy && read ? one("streaming", "copy+read", readAfter(streamCopy)) : []),
  ];
}

/** Passes over the same memory, for each operation that makes more than one. */
function floorCases(group: Group, tensors: Tensors, copies: Copies, threads: number): TimedCase[] {
  // Passes move whole float32 values.
  if (tensors.x.BYTES_PER_ELEMENT < 4) return [];
  const { outer, channels, inner } = extentOf(group.shape, group.layout);
  const [x, dy, out] = [asFloats(tensors.x), asFloats(tensors.dy), asFloats(tensors.out)];
  const width = group.dtype === "float32" ? 1 : 2;
  const ways = [
    ["plain", copies.passes],
    ["streaming", copies.streamPasses],
  ] as const;
  return (["forward", "backward"] as const)
    .filter((op) => group.operations.includes(op))
    .flatMap((op) =>
      ways.flatMap(([backend, passes]): TimedCase[] => {
        if (!passes) return [];
        const gradient = op === "backward" ? dy : null;
        const run = (): void => void passes(x, gradient, out, outer, channels, inner * width, threads);
        return [{ op: `${op} floor`, backend, threads, run, ...BARE }];
      }),
    );
}

interface Call {
  readonly layer: BatchNorm<DType>;
  readonly token: Saved<DType>;
  readonly shape: readonly number[];
  readonly options: ReturnType<typeof optionsOf>;
}

/** A call of an operation on a layer; `out` undefined: a fresh output. */
function runOf(
  op: TimedOperation,
  { layer, token, shape, options: given }: Call,
  { x, dy }: Operands,
  read: (y: Data) => void,
  out: Data | undefined,
): () => void {
  const outputs = out ? { out } : {};
  const options = { ...given, ...outputs };
  switch (op) {
    case "forward":
    case "inference":
      return () => void layer.forward(x, shape, options);
    case "forward+read":
      return () => read(layer.forward(x, shape, options) as Data);
    case "backward":
      // A token serves one backward. A copy that is marked as unused serves another.
      return () => void layer.backward(dy, { ...outputs, saved: { ...token, life: new Uint8Array(1) } });
  }
}

function operationCases(group: Group, tensors: Tensors, copies: Copies, used: readonly Used[]): TimedCase[] {
  const shape = shapeIn(group.shape, group.layout);
  // A fresh output is an ordinary array.
  const outputs = ({ brief, memory }: Contender): readonly Output[] =>
    brief || memory === "arena" ? ["given"] : ["given", "fresh"];
  return used.flatMap(({ contender, operation, threads, milliseconds: checkedMs }) =>
    group.operations
      .filter((op) => kernelOf(op) === operation && (op !== "forward+read" || (copies.read && !contender.brief)))
      .flatMap((op) => {
        const layer = makeLayer(group, contender);
        const operands = operandsIn(tensors, contender.memory);
        const options = optionsOf(group);
        layer.forward(operands.x, shape, { ...options, out: operands.out });
        const call: Call = { layer, token: layer.saved!, shape, options };
        if (op === "inference") layer.eval();
        const read = (y: Data): void => void copies.read?.(asFloats(y), threads);
        return outputs(contender).map((out): TimedCase => {
          const run = runOf(op, call, operands, read, out === "given" ? operands.out : undefined);
          return { op, backend: contender.backend, threads, memory: contender.memory, out, run, checkedMs };
        });
      }),
  );
}

export function nameOf({ op, backend, threads, memory, out }: CaseId): string {
  return `${op} ${backend} ${threads} ${memory} ${out}`;
}

/**
 * Copies first, fresh outputs last: what collects their garbage is their own. A contender that was allowed more
 * threads than it used, as many as another, is that other: timed once.
 */
export function makeCases(group: Group, tensors: Tensors, copies: Copies, used: readonly Used[]): TimedCase[] {
  const counts = [...new Set(used.map(({ threads }) => threads))];
  const operations = operationCases(group, tensors, copies, used);
  const cases = new Map<string, TimedCase>();
  for (const one of [
    ...counts.flatMap((threads) => copyCases(group, tensors, copies, threads)),
    ...counts.flatMap((threads) => (group.sweep ? [] : floorCases(group, tensors, copies, threads))),
    ...operations.filter(({ out }) => out === "given"),
    ...operations.filter(({ out }) => out === "fresh"),
  ]) {
    if (!cases.has(nameOf(one))) cases.set(nameOf(one), one);
  }
  return [...cases.values()];
}
