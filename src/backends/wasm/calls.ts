// A kernel call as staging sees it, made from the operand table: which arrays are copied into which places of the memory
// and out of them, and the fields of the control block that the kernel reads and writes.
import type { Data } from "../../base/types.js";
import type { Control } from "../../kernels/control.js";
import { FIELDS, Kind, type Field } from "../../kernels/layout.js";
import {
  KERNELS,
  KERNEL_NAMES,
  OPERANDS,
  operandOf,
  type KernelName,
  type OperandName,
} from "../../kernels/operands.js";
import type { Span } from "./copy.js";

/** Operands are arrays, or what stands for them in another thread. */
export interface Call<T = Data> {
  readonly kernel: KernelName;
  /** The kernel's operands without w. */
  readonly arrays: readonly (T | null)[];
  /** What is copied into each place of the memory, and what out of it; a place with neither takes no room. */
  readonly ins: readonly (T | null)[];
  readonly outs: readonly (T | null)[];
  /** The place of each operand; −1 where it is absent. */
  readonly places: readonly number[];
  readonly reads: Span;
  readonly writes: Span;
  /** One for each position, the channels left out; null where the kernel takes none, or the call has none. */
  readonly weights: T | null;
}

/** An operand that is staged tile by tile, as w is not. */
type DataName = Exclude<OperandName, "w">;

/** What all calls of a kernel have in common. */
interface Route {
  /** Without w, which is always the last operand. */
  readonly names: readonly DataName[];
  /** The place of each operand: outputs take that of the input they replace. */
  readonly places: readonly number[];
  readonly placeCount: number;
  readonly reads: Span;
  readonly writes: Span;
}

/** Fields lie side by side, so that what a kernel reads or writes is one range of them. */
function spanOf(fields: readonly [Field, Field] | null): Span {
  return fields ? [FIELDS.indexOf(fields[0]), FIELDS.indexOf(fields[1]) + 1] : [0, 0];
}

function routeOf(kernel: KernelName): Route {
  const { operands, reads, writes } = KERNELS[kernel];
  const names = operands.map((entry) => operandOf(entry).name).filter((name): name is DataName => name !== "w");
  const inputs = names.filter((name) => OPERANDS[name].role === "input");
  const placeOf = (name: DataName): number => {
    const operand = OPERANDS[name];
    return inputs.findIndex((input) => input === (operand.role === "output" ? operand.replaces : name));
  };
  const places = names.map(placeOf);
  return { names, places, placeCount: inputs.length, reads: spanOf(reads), writes: spanOf(writes) };
}

const ROUTES = Object.fromEntries(KERNEL_NAMES.map((name) => [name, routeOf(name)])) as Record<KernelName, Route>;

/** Whether a kernel looks at an input: at a mask's only under an activation, and with fixed statistics at x for a mask alone. */
function looksAt(kernel: KernelName, name: DataName, control: Control): boolean {
  const masks = control.has("activation");
  if (name === "residualOrY") return masks;
  if (kernel !== "gradInput" || name !== "x") return true;
  return !control.has("fixed") || (masks && (!control.has("holdsY") || control.get("kind") !== Kind.rectifier));
}

export function callOf<T>(kernel: KernelName, control: Control, operands: readonly (T | null)[]): Call<T> {
  const { names, places, placeCount, reads, writes } = ROUTES[kernel];
  const ins = new Array<T | null>(placeCount).fill(null);
  const outs = new Array<T | null>(placeCount).fill(null);
  const arrays = names.map((name, i) => {
    const array = operands[i]!;
    const isOutput = OPERANDS[name].role === "output";
    const isUsed = isOutput || looksAt(kernel, name, control);
    if (isUsed) (isOutput ? outs : ins)[places[i]!] = array;
    return isUsed || name === "x" ? array : null;
  });
  const weights = operands[names.length] ?? null;
  return { kernel, arrays, ins, outs, places: places.map((at, i) => (arrays[i] ? at : -1)), reads, writes, weights };
}
