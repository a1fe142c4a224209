// How many values the library copies: a test file replaces src/base/arrays.ts by what `counted` makes of it.
import type * as Arrays from "../../src/base/arrays.js";

let values = 0;

export function counted(arrays: typeof Arrays): typeof Arrays {
  const copyInto: typeof Arrays.copyInto = (target, source, at) => {
    if (source.length >= 32) values += source.length;
    arrays.copyInto(target, source, at);
  };
  return { ...arrays, copyInto };
}

/** Values that are copied in pieces of a tile or more. */
export function valuesCopied(body: () => void): number {
  values = 0;
  body();
  return values;
}
