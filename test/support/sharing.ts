// Kernels as on a large tensor: on three threads and past the cache, however small it is.
import type { Kernels } from "../../src/kernels/kernels.js";
import { wrapped } from "./wrapped.js";

export function sharing(kernels: Kernels): Kernels {
  return wrapped(kernels, (call, control, operands) => {
    control.set("threads", 3);
    control.set("grain", 0);
    control.set("streamFrom", 0);
    call(operands);
  });
}
