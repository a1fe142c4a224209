// What a backend implements: the O(N) loops of operands.ts. The exactness contract that they obey, operation by
// operation, is docs/contract.md.
import type { Later } from "../base/later.js";
import type { Data, Floats } from "../base/types.js";
import type { Control } from "./control.js";
import type { KERNELS, KernelName } from "./operands.js";

/**
 * The version of the exactness contract (`docs/contract.md`). All backends of one version return the same bits for the
 * same data. State dicts record it.
 */
export const contractVersion = 1;

type ArrayOf<Entry> = Entry extends `${infer Name}?` ? ArrayOf<Name> | null : Entry extends "w" ? Floats : Data;

type ArraysOf<Entries extends readonly unknown[]> = { -readonly [I in keyof Entries]: ArrayOf<Entries[I]> };

/** The operands of a kernel, in order. */
export type OperandsOf<K extends KernelName> = ArraysOf<(typeof KERNELS)[K]["operands"]>;

/**
 * Kernels over tensors of `control.extent`, elements of `control.dtype`. They trust their arguments: lengths, kinds and
 * aliasing have been checked. They read no input twice where its value could have changed the memory they touch. An
 * output may be exactly the input that it replaces, and no operands overlap partly.
 */
export type Kernels = {
  readonly [K in KernelName]: (control: Control, ...operands: OperandsOf<K>) => void;
};

/** Kernels as the engine calls them: on another thread, they return a promise. */
export type LaterKernels = {
  readonly [K in KernelName]: (control: Control, ...operands: OperandsOf<K>) => Later<void>;
};
