// A kernel called by its name, with its operands by theirs.
import type { Control } from "../kernels/control.js";
import type { Kernels } from "../kernels/kernels.js";
import { FIELDS, type Field } from "../kernels/layout.js";
import { KERNELS, OPERANDS, operandOf, type KernelName, type OperandName } from "../kernels/operands.js";
import type { Data } from "../base/types.js";

/** What a kernel is called with, or what it must have made of that; one that is absent is null. */
export type Operands = Readonly<Partial<Record<OperandName, Data | null>>>;

/** A kernel as all of them can be called. */
export type AnyKernel = (control: Control, ...operands: (Data | null)[]) => void;

/** The names of a kernel's operands, in the order of its arguments. */
export function operandNamesOf(kernel: KernelName): OperandName[] {
  return KERNELS[kernel].operands.map((entry) => operandOf(entry).name);
}

/** Those that it writes. */
export function outputsOf(kernel: KernelName): OperandName[] {
  return operandNamesOf(kernel).filter((name) => OPERANDS[name].role === "output");
}

/** The fields of the control block from the first to the last of a range. */
export function fieldsOf(range: readonly [Field, Field] | null): readonly Field[] {
  return range ? FIELDS.slice(FIELDS.indexOf(range[0]), FIELDS.indexOf(range[1]) + 1) : [];
}

export function callKernel(kernels: Kernels, name: KernelName, control: Control, operands: Operands): void {
  const kernel = kernels[name] as AnyKernel;
  kernel(control, ...operandNamesOf(name).map((operand) => operands[operand] ?? null));
}
