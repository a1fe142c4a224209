// A file of PyTorch's results: an index of one line a case, behind the provenance, and the binary it is an index of.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { allocate, type FloatType, type Floats } from "../../src/base/types.js";

export interface Vectors<Case> {
  readonly provenance: Readonly<Record<string, string | number>>;
  readonly cases: readonly Case[];
  readonly sha256: string;
  /** The next `length` values of the binary. */
  readonly next: (dtype: FloatType, length: number) => Floats;
}

export function readVectors<Case>(name: string): Vectors<Case> {
  const bytes = readFileSync(new URL(`${name}.bin`, import.meta.url));
  const lines = readFileSync(new URL(`${name}.jsonl`, import.meta.url), "utf8")
    .trimEnd()
    .split("\n");
  const [provenance, ...cases] = lines.map((line) => JSON.parse(line) as unknown);
  let offset = 0;
  return {
    provenance: provenance as Vectors<Case>["provenance"],
    cases: cases as readonly Case[],
    sha256: createHash("sha256").update(bytes).digest("hex"),
    next(dtype, length) {
      const data = allocate(dtype, length);
      new Uint8Array(data.buffer).set(bytes.subarray(offset, (offset += data.byteLength)));
      return data;
    },
  };
}
