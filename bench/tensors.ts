// The arrays of a group: views of four blocks of memory that all groups of a process share.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { lengthOf } from "../test/shapes.js";
import { fillGradient, fillInput } from "../test/timed-data.js";
import type { Setting } from "./plan.js";

export interface Tensors {
  readonly x: Float32Array;
  readonly dy: Float32Array;
  /** y or dx. */
  readonly out: Float32Array;
  /** What a reference backend computes. */
  readonly expected: Float32Array;
}

/** For shapes of up to `most` values; a call fills x and dy for a setting. */
export function makeTensors(most: number): (setting: Setting) => Tensors {
  const [x, dy, out, expected] = Array.from({ length: 4 }, () => new Float32Array(most));
  return ({ shape, layout, data }) => {
    const view = (array: Float32Array | undefined): Float32Array => array!.subarray(0, lengthOf(shape));
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
