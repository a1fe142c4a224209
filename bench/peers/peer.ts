// What a peer is: a library that normalizes the same tensors, from its own tensor type to its own tensor type. Nothing
// here is of Node: peers are timed in pages too.
import type { Extent } from "../../src/kernels/control.js";
import type { Operation } from "../shapes.js";
import type { Setting } from "../plan.js";

/** One shape and layout with everything an operation is given: the same numbers for all peers. */
export interface Problem {
  readonly setting: Setting;
  /** In the order of memory: N, C, H, W or N, H, W, C. */
  readonly shape: readonly number[];
  readonly extent: Extent;
  readonly eps: number;
  readonly x: Float32Array;
  readonly dy: Float32Array;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly runningMean: Float32Array;
  readonly runningVar: Float32Array;
  /** The batch's mean and 1/√(variance + ε), which a forward saves for its backward. */
  readonly mean: Float32Array;
  readonly invStd: Float32Array;
}

/** What an operation gives: y or dx, and after backward dγ and dβ. */
export interface Result {
  readonly out: Float32Array;
  readonly gradWeight?: Float32Array;
  readonly gradBias?: Float32Array;
}

/** An operation on a problem, prepared: tensors made, models loaded. */
export interface Task {
  /** Milliseconds a call, the mean of `calls` calls one after another. */
  readonly sample: (calls: number) => number | Promise<number>;
  /** What the newest call gave, before another of this peer's operations runs. */
  readonly result: () => Result | Promise<Result>;
}

/** Tasks by operation, or why there is none; an operation that is absent belongs to another peer. */
export type Tasks = { readonly [Op in Operation]?: Task | string };

export interface Prepared {
  readonly tasks: Tasks;
  readonly dispose: () => void | Promise<void>;
}

/** A library on a number of threads. */
export interface Peer {
  readonly name: string;
  /** null: written here. */
  readonly version: string | null;
  /** How many it may use. */
  readonly threads: number;
  /** Takes seconds a call on large tensors. */
  readonly slow?: boolean;
  readonly prepare: (problem: Problem) => Prepared | Promise<Prepared>;
  /** After the last problem. */
  readonly close?: () => void;
}

/** Of a function that returns when its work is done. */
export function timeSync(run: () => void): (calls: number) => number {
  return (calls) => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) run();
    return (performance.now() - start) / calls;
  };
}

/** Of a function that returns a promise of it. */
export function timeAsync(run: () => Promise<void>): Task["sample"] {
  return async (calls) => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) await run();
    return (performance.now() - start) / calls;
  };
}

/** One reason for all three operations. */
export function none(reason: string): Prepared {
  return { tasks: { forward: reason, inference: reason, backward: reason }, dispose: () => undefined };
}
