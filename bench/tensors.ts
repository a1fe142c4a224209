// The arrays of a group: views of four blocks of memory that all groups of a process share.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { allocate, type Data } from "../src/types.js";
import { lengthOf } from "../test/shapes.js";
import { fillGradient, fillInput } from "../test/timed-data.js";
import type { Setting } from "./plan.js";

export interface Tensors {
  readonly x: Data;
  readonly dy: Data;
  /** y or dx. */
  readonly out: Data;
  /** What a reference backend computes. */
  readonly expected: Data;
}

/** The bytes of an array as float32, for what only moves them. */
export function asFloats({ buffer, byteOffset, byteLength }: Data): Float32Array {
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

/** Memory for the settings that come; a call fills x and dy for one of them. */
export function makeTensors(settings: readonly Setting[]): (setting: Setting) => Tensors {
  const bytesOf = ({ shape, dtype }: Setting): number => lengthOf(shape) * (dtype === "float32" ? 4 : 8);
  const blocks = Array.from({ length: 4 }, () =>
    allocate("float64", Math.ceil(Math.max(...settings.map(bytesOf)) / 8)),
  );
  return ({ shape, layout, data, dtype }) => {
    const view = (block: Data | undefined): Data =>
      dtype === "float32"
        ? new Float32Array(block!.buffer, 0, lengthOf(shape))
        : new Float64Array(block!.buffer, 0, lengthOf(shape));
    const [x, dy, out, expected] = blocks;
    const tensors = { x: view(x), dy: view(dy), out: view(out), expected: view(expected) };
    fillInput(tensors.x, data, shape, layout);
    fillGradient(tensors.dy);
    return tensors;
  };
}

let collect: (() => void) | undefined;

/** Fresh outputs are garbage of up to 205 MB each: collected between rounds, not in the next case's time. */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}
