// Runs the kernels of a backend on a case and compares all they write with the oracle, bit for bit.
import { FIELDS, Slot } from "../../src/kernels/layout.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { KERNELS, OPERANDS, type OperandName } from "../../src/kernels/operands.js";
import { allocate, floatTypeOf, type Data } from "../../src/base/types.js";
import { callKernel, fieldsOf, operandNamesOf, outputsOf } from "../../src/verify/call.js";
import { nameOf, setUp, snapshot, type Call, type Reference } from "../../src/verify/case-reference.js";
import { describeCase, sizeOf, type Case } from "../../src/verify/cases.js";
import { Guarded, firstDifference, guardedControl } from "./guarded.js";

/** Header slots that a kernel is told and leaves alone, but for `count`. */
const ARGUMENTS = Slot.threads;
const NAMES = Object.keys(OPERANDS);

type Arrays = Partial<Record<OperandName, Guarded>>;

/** The input that an output overwrites. */
function overwrittenBy(name: OperandName, { forwardInPlace, backwardInPlace }: Case): OperandName | "no" {
  if (name === "y") return forwardInPlace;
  return name === "dx" ? backwardInPlace : "no";
}

/** Guarded copies of the inputs and poisoned outputs; an output in place is the copy of its input. */
function arraysOf({ kernel, operands }: Call, test: Case): Arrays {
  const arrays: Arrays = {};
  const offsetOf = (name: OperandName): number => (test.offset * (1 + NAMES.indexOf(name))) % 16;
  const outputs = outputsOf(kernel);
  for (const name of operandNamesOf(kernel)) {
    const source = operands[name];
    if (!source || outputs.includes(name)) continue;
    const dtype = OPERANDS[name].role === "weights" ? floatTypeOf(test.dtype) : test.dtype;
    arrays[name] = Guarded.copyOf(dtype, source, offsetOf(name));
  }
  for (const name of outputs.filter((output) => operands[output])) {
    const overwritten = overwrittenBy(name, test);
    const inPlace = overwritten === "no" ? undefined : arrays[overwritten];
    const fresh = (): Guarded =>
      new Guarded((length) => allocate(test.dtype, length), sizeOf(test.extent), offsetOf(name));
    arrays[name] = inPlace ?? fresh();
  }
  return arrays;
}

export interface Outcome {
  /** "kernel: array[element] expected …, got … — case …" */
  readonly faults: readonly string[];
  /** Elements of outputs compared. */
  readonly elements: number;
}

type Checks = [name: string, expected: Data, got: Data][];

/** Inputs, but for the one an output has overwritten, then outputs. */
function arrayChecks({ kernel, operands }: Call, arrays: Arrays): Checks {
  const outputs = outputsOf(kernel);
  const written = outputs.map((name) => arrays[name]);
  const inputs = operandNamesOf(kernel).filter((name) => !outputs.includes(name) && !written.includes(arrays[name]));
  const named = [
    ...inputs.map((name) => [name, `input ${name}`] as const),
    ...outputs.map((name) => [name, name] as const),
  ];
  return named.flatMap(([name, title]) => (arrays[name] ? [[title, operands[name]!, arrays[name].view]] : []));
}

/** Makes a call; the first fault in all it leaves behind: arguments, fields, inputs, outputs, guards. */
function faultOf(call: Call, test: Case, kernels: Kernels): string | null {
  const { kernel, counts } = call;
  const { control, guarded } = guardedControl(test.dtype, test.extent);
  setUp(control, test);
  control.set("count", counts[0]);
  // All fields that the kernel may not read hold poison.
  for (const name of fieldsOf(KERNELS[kernel].reads)) control.fields[name].set(call.fields[name]);
  const fields = snapshot(control);
  for (const name of fieldsOf(KERNELS[kernel].writes)) fields[name].set(call.fields[name]);
  const header = control.block.slice(0, ARGUMENTS);
  header[Slot.count] = counts[1];
  const arrays = arraysOf(call, test);
  const views = Object.entries(arrays).map(([name, array]) => [name, array.view]);
  callKernel(kernels, kernel, control, Object.fromEntries(views) as Call["operands"]);

  const checks: Checks = [
    ["header", header, control.block.subarray(0, ARGUMENTS)],
    ...FIELDS.map((name): Checks[number] => [name, fields[name], control.fields[name]]),
    ...arrayChecks(call, arrays),
  ];
  for (const [name, want, got] of checks) {
    const at = firstDifference(want, got, test.dtype);
    if (at >= 0) return `${name}[${at}] expected ${want[at]}, got ${got[at]}`;
  }
  const spilt = [...Object.entries(arrays), ["control", guarded] as const].find(([, array]) => !array.intact());
  return spilt ? `wrote beyond ${spilt[0]}` : null;
}

/** Makes the calls of a case with the kernels of a backend. */
export function runCase(kernels: Kernels, { test, calls }: Reference): Outcome {
  const faults: string[] = [];
  let elements = 0;
  for (const call of calls) {
    const fault = faultOf(call, test, kernels);
    elements += outputsOf(call.kernel).filter((name) => call.operands[name]).length * sizeOf(test.extent);
    if (fault) faults.push(`${nameOf(call)}: ${fault} — ${describeCase(test)}`);
  }
  return { faults, elements };
}
