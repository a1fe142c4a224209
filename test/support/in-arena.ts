// Kernels whose arrays are moved into an arena for each call, with gaps between them that must stay as they are.
import { createArena } from "../../src/backends/arena.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import type { Data } from "../../src/base/types.js";

const GAP = 64;
const UNTOUCHED = 0xa5;

/** Five operands of 2^20 float64 values, and gaps. */
const BYTES = 41 * 2 ** 20;

export function inArena(kernels: Kernels): Kernels {
  const memory = createArena(BYTES).float64(BYTES / 8);
  const bytes = new Uint8Array(memory.buffer, memory.byteOffset, memory.byteLength);

  /** The arrays side by side; one given twice is one here too. */
  function place(arrays: readonly (Data | null)[]): { views: Map<Data, Data>; gaps: Uint8Array[] } {
    const views = new Map<Data, Data>();
    const gaps: Uint8Array[] = [];
    let at = 0;
    for (const data of arrays) {
      if (!data || views.has(data)) continue;
      const View =
        data instanceof Float32Array ? Float32Array : data instanceof Float64Array ? Float64Array : Uint16Array;
      views.set(data, new View(memory.buffer as ArrayBuffer, memory.byteOffset + at, data.length));
      const end = at + data.byteLength;
      at = Math.ceil((end + GAP) / 8) * 8;
      gaps.push(bytes.subarray(end, at).fill(UNTOUCHED));
    }
    return { views, gaps };
  }

  function run(arrays: readonly (Data | null)[], call: (views: readonly (Data | null)[]) => void): void {
    const { views, gaps } = place(arrays);
    for (const [data, view] of views) view.set(data);
    call(arrays.map((data) => (data ? views.get(data)! : null)));
    for (const [data, view] of views) data.set(view);
    if (gaps.some((gap) => gap.some((byte) => byte !== UNTOUCHED))) throw new Error("written past an array");
  }

  return {
    moments: (control, ...data) => run(data, ([x]) => kernels.moments(control, x!)),
    normalize: (control, ...data) => run(data, ([x, y, residual]) => kernels.normalize(control, x!, y!, residual!)),
    gradSums: (control, ...data) => run(data, ([x, dy, aux]) => kernels.gradSums(control, x!, dy!, aux!)),
    gradInput: (control, ...data) =>
      run(data, ([x, dy, dx, aux, dresidual]) => kernels.gradInput(control, x!, dy!, dx!, aux!, dresidual!)),
    forward: (control, ...data) => run(data, ([x, y, residual]) => kernels.forward(control, x!, y!, residual!)),
    backward: (control, ...data) =>
      run(data, ([x, dy, dx, aux, dresidual]) => kernels.backward(control, x!, dy!, dx!, aux!, dresidual!)),
    // Weights stay outside, as the library's own are.
    weightedMoments: (control, x, w) => run([x], ([X]) => kernels.weightedMoments(control, X!, w)),
    weightedGradInput: (control, ...data) =>
      run(data.slice(0, 5), ([x, dy, dx, aux, dresidual]) =>
        kernels.weightedGradInput(control, x!, dy!, dx!, aux!, dresidual!, data[5]),
      ),
    weightedForward: (control, ...data) =>
      run(data.slice(0, 3), ([x, y, residual]) => kernels.weightedForward(control, x!, y!, residual!, data[3])),
    weightedBackward: (control, ...data) =>
      run(data.slice(0, 5), ([x, dy, dx, aux, dresidual]) =>
        kernels.weightedBackward(control, x!, dy!, dx!, aux!, dresidual!, data[5]),
      ),
    zeroMasked: (control, x, y, w) => run([x, y], ([X, Y]) => kernels.zeroMasked(control, X!, Y!, w)),
  };
}
