// The program of a worker that runs whole kernel calls, on memory of its own: the tiles are copied there and back.
// scripts/build/worker.mjs makes a text of it, as of program.ts.
import { viewOf } from "../../../base/outputs.js";
import type { Data } from "../../../base/types.js";
import type { Call } from "../calls.js";
import { Staging } from "../staging.js";
import { boxesIn, boxesOf } from "../tiles.js";
import type { Answer, Equipment, Errand, Operand } from "./call-messages.js";
import { port } from "./port.js";

let staging: Staging;

/** The call on arrays of this thread. */
function here({ call, buffers }: Errand): Call {
  const view = (operand: Operand | null): Data | null => {
    if (!operand) return null;
    const { memory, dtype, offset, length } = operand;
    return viewOf(dtype, typeof memory === "number" ? buffers[memory]! : memory, offset, length);
  };
  const views = (operands: readonly (Operand | null)[]): (Data | null)[] => operands.map(view);
  return { ...call, arrays: [], ins: views(call.ins), outs: views(call.outs), weights: view(call.weights) };
}

function run(errand: Errand): string | null {
  try {
    const { control, step, portion, stop } = errand;
    staging.run(control, here(errand), boxesIn(boxesOf(control.extent, step), portion), stop);
    return null;
  } catch (error) {
    return String(error);
  }
}

port.onmessage = ({ data }: { readonly data: Equipment | Errand }) => {
  if ("module" in data) {
    staging = new Staging(data.module);
    port.postMessage("ready");
    return;
  }
  const fault = run(data);
  const { buffers } = data;
  const { block } = data.control;
  const answer: Answer = { block, buffers, fault };
  port.postMessage(answer, [block.buffer, ...buffers]);
};
