// Kernels whose arrays are moved into an arena for each call, with gaps between them that must stay as they are.
import { createArena } from "../src/arena.js";
import type { Control } from "../src/control.js";
import type { Kernels } from "../src/kernels.js";
import type { Data } from "../src/types.js";

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
      const View = data instanceof Float32Array ? Float32Array : Float64Array;
      views.set(data, new View(memory.buffer, memory.byteOffset + at, data.length));
      const end = at + data.byteLength;
      at = Math.ceil((end + GAP) / 8) * 8;
      gaps.push(bytes.subarray(end, at).fill(UNTOUCHED));
    }
    return { views, gaps };
  }

  function run(name: keyof Kernels, control: Control, arrays: readonly (Data | null)[]): void {
    const { views, gaps } = place(arrays);
    for (const [data, view] of views) view.set(data);
    const call = kernels[name] as (control: Control, ...data: (Data | null)[]) => void;
    call(control, ...arrays.map((data) => (data ? views.get(data)! : null)));
    for (const [data, view] of views) data.set(view);
    if (gaps.some((gap) => gap.some((byte) => byte !== UNTOUCHED))) throw new Error(`${name} wrote past an array`);
  }

  return {
    moments: (control, ...data) => run("moments", control, data),
    normalize: (control, ...data) => run("normalize", control, data),
    gradSums: (control, ...data) => run("gradSums", control, data),
    gradInput: (control, ...data) => run("gradInput", control, data),
    forward: (control, ...data) => run("forward", control, data),
    backward: (control, ...data) => run("backward", control, data),
  };
}
