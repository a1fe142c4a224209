// The exactness contract (docs/contract.md), executable: plain JavaScript, one statement per rule. Every other backend
// is compared with it bit for bit; it is also the last fallback, so its loops are those that V8 makes fast: in memory
// order, rounding inlined, nothing called through a closure.
import { affineCoefficients, gradCoefficients, invStds } from "../../kernels/coefficients.js";
import type { Control } from "../../kernels/control.js";
import type { Kernels } from "../../kernels/kernels.js";
import { KERNELS, KERNEL_NAMES, OPERANDS, operandOf, type KernelName } from "../../kernels/operands.js";
import { inputGrads, outputs, zeroMasked } from "./elements.js";
import { gradientSums } from "./grad-sums.js";
import { moments } from "./moments.js";
import { narrow, widen } from "../../base/storage.js";
import { isStoredIn16Bits, type Data, type DType, type Floats } from "../../base/types.js";

type Optional = Floats | null;
type GradOperands = [x: Floats, dy: Floats, dx: Floats, residualOrY: Optional, dresidual: Optional, w: Optional];

function normalize(control: Control, x: Floats, y: Floats, residual: Optional): void {
  invStds(control);
  affineCoefficients(control);
  outputs(control, x, y, residual);
}

function gradSums(control: Control, x: Floats, dy: Floats, residualOrY: Optional): void {
  affineCoefficients(control);
  gradientSums(control, x, dy, residualOrY);
}

function gradInput(control: Control, ...operands: GradOperands): void {
  affineCoefficients(control);
  inputGrads(control, ...operands);
}

function forward(control: Control, x: Floats, y: Floats, residual: Optional, w: Optional): void {
  moments(control, x, w);
  normalize(control, x, y, residual);
}

function backward(control: Control, ...operands: GradOperands): void {
  const [x, dy, , residualOrY] = operands;
  gradSums(control, x, dy, residualOrY);
  gradCoefficients(control);
  inputGrads(control, ...operands);
}

/** The kernels of elements that are computed with as they are stored. */
const KERNELS_OF_FLOATS = { moments, normalize, gradSums, gradInput, forward, backward, zeroMasked };

type Kernel<Operand> = (control: Control, ...operands: (Operand | null)[]) => void;

/** A kernel of elements of any type: those of 16 bits widen exactly when they are read, and are rounded when stored. */
function ofAllTypes(name: KernelName): Kernel<Data> {
  const kernel = KERNELS_OF_FLOATS[name] as Kernel<Floats>;
  const roles = KERNELS[name].operands.map((entry) => OPERANDS[operandOf(entry).name].role);
  const widened = (dtype: DType, data: Data | null, i: number): Floats | null => {
    if (!data || roles[i] === "weights") return data as Floats | null;
    return roles[i] === "output" ? new Float32Array(data.length) : widen(dtype, data as Uint16Array);
  };
  return (control, ...operands) => {
    const { dtype } = control;
    if (!isStoredIn16Bits(dtype)) {
      kernel(control, ...(operands as Floats[]));
      return;
    }
    const floats = operands.map((data, i) => widened(dtype, data, i));
    kernel(control, ...floats);
    operands.forEach((data, i) => {
      if (data && roles[i] === "output") narrow(dtype, floats[i] as Float32Array, data as Uint16Array);
    });
  };
}

/** The reference backend. */
export const oracle = Object.fromEntries(KERNEL_NAMES.map((name) => [name, ofAllTypes(name)])) as Kernels;
