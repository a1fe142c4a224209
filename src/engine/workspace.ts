// Where the calls of one extent meet: kernels, and the control block that carries them. Reused while the extent stays.
import type { Control } from "../kernels/control.js";
import type { Kernels } from "../kernels/kernels.js";
import type { PositionWeights } from "../values/weights.js";

export interface Workspace {
  readonly kernels: Kernels;
  readonly control: Control;
  readonly positions: PositionWeights;
}
