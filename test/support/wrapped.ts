// Kernels made of others, all in the same way.
import type { Control } from "../../src/kernels/control.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { KERNEL_NAMES, type KernelName } from "../../src/kernels/operands.js";
import type { Data } from "../../src/base/types.js";
import type { AnyKernel } from "../../src/verify/call.js";

/** One kernel for each name. */
export function kernelsFrom(make: (name: KernelName) => AnyKernel): Kernels {
  return Object.fromEntries(KERNEL_NAMES.map((name) => [name, make(name)])) as Kernels;
}

/** Kernels whose every call is `around`, which runs `call` with the operands that it chooses. */
export function wrapped(
  kernels: Kernels,
  around: (
    call: (operands: readonly (Data | null)[]) => void,
    control: Control,
    operands: readonly (Data | null)[],
    name: KernelName,
  ) => void,
): Kernels {
  return kernelsFrom((name) => {
    const kernel = kernels[name] as AnyKernel;
    return (control, ...operands) => {
      around((given) => kernel(control, ...given), control, operands, name);
    };
  });
}
