// Kernels whose arrays are moved into an arena for each call, with gaps between them that must stay as they are.
import { createArena } from "../../src/backends/arena.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { OPERANDS } from "../../src/kernels/operands.js";
import type { Data } from "../../src/base/types.js";
import { operandNamesOf } from "../../src/verify/call.js";
import { wrapped } from "./wrapped.js";

const GAP = 64;
const UNTOUCHED = 0xa5;

/** Five operands of 2^20 float64 values, and gaps. */
const BYTES = 41 * 2 ** 20;

/** With several threads the arena is shared, and every call has shares, however small it is. */
export function inArena(kernels: Kernels, threads = 1): Kernels {
  const memory = createArena(BYTES, { shared: threads > 1 }).float64(BYTES / 8);
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

  return wrapped(kernels, (call, control, operands, name) => {
    control.set("threads", threads);
    control.set("grain", 0);
    // Weights stay outside, as the library's own are.
    const roles = operandNamesOf(name).map((operand) => OPERANDS[operand].role);
    const { views, gaps } = place(operands.filter((_, i) => roles[i] !== "weights"));
    for (const [data, view] of views) view.set(data);
    call(operands.map((data, i) => (data && roles[i] !== "weights" ? views.get(data)! : data)));
    for (const [data, view] of views) data.set(view);
    if (gaps.some((gap) => gap.some((byte) => byte !== UNTOUCHED))) throw new Error("written past an array");
  });
}
