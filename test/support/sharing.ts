// Kernels as on a large tensor: on three threads and past the cache, however small it is.
import type { Control } from "../../src/kernels/control.js";
import type { Kernels } from "../../src/kernels/kernels.js";

function tuned(control: Control): Control {
  control.set("threads", 3);
  control.set("grain", 0);
  control.set("streamFrom", 0);
  return control;
}

export function sharing(kernels: Kernels): Kernels {
  return {
    moments: (control, ...data) => kernels.moments(tuned(control), ...data),
    normalize: (control, ...data) => kernels.normalize(tuned(control), ...data),
    gradSums: (control, ...data) => kernels.gradSums(tuned(control), ...data),
    gradInput: (control, ...data) => kernels.gradInput(tuned(control), ...data),
    forward: (control, ...data) => kernels.forward(tuned(control), ...data),
    backward: (control, ...data) => kernels.backward(tuned(control), ...data),
    weightedMoments: (control, ...data) => kernels.weightedMoments(tuned(control), ...data),
    weightedGradInput: (control, ...data) => kernels.weightedGradInput(tuned(control), ...data),
    weightedForward: (control, ...data) => kernels.weightedForward(tuned(control), ...data),
    weightedBackward: (control, ...data) => kernels.weightedBackward(tuned(control), ...data),
    zeroMasked: (control, ...data) => kernels.zeroMasked(tuned(control), ...data),
  };
}
