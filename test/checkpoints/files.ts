// What is saved in the tests, and files of safetensors that the library does not write: any header, and damaged ones.
import { BatchNorm, type DType } from "../../src/index.js";
import { save } from "../../src/safetensors.js";
import type { Random } from "../../src/verify/data.js";

/** A file with this header, and so many bytes behind it. */
export function fileOf(header: string | Uint8Array, size = 0, length?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + text.length + size);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const small = new BatchNorm(2, { affine: false });
const wide = new BatchNorm(3, { dtype: "float64" });

/** Layers of several types. */
export function stateOfKinds(): object {
  const half = { data: Uint16Array.of(0x3f80), shape: [1], dtype: "bfloat16" };
  return { "a.": small, "b.": wide, "c.running_mean": half, "c.running_var": half, "c.weight": half, "c.bias": half };
}

/** Files to be damaged. */
export function corpus(): readonly Uint8Array[] {
  return [
    save(small),
    save(stateOfKinds()),
    save({ "a.": wide, conv: { data: new Float32Array(8), shape: [2, 2, 2] } }, { metadata: { format: "pt" } }),
  ];
}

/** What stands in headers, and what stands in none. */
const TOKENS = [
  ...["0", "1", "4", "8", "12", "-1", "1.5", "1e3", "2147483648", "4294967296", "9007199254740991", "9007199254740992"],
  ...[
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    '"',
    "null",
    "NaN",
    "-Infinity",
    "[]",
    "{}",
    '""',
    '"F32"',
    '"F64"',
    '"I64"',
    '"U8"',
  ],
  ...[
    '"shape"',
    '"data_offsets"',
    '"__metadata__"',
    '"__proto__"',
    '"a.weight"',
    '"running_mean"',
    "\\",
    "\u0000",
    "é",
  ],
];

const isIn = (random: Random, size: number): number => Math.floor(random() * size);

/** The length and the header of a file, and the bytes behind them, as far as they are there. */
function partsOf(file: Uint8Array): readonly [head: string, rest: Uint8Array] {
  const end = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true) & 0xffffn);
  return [new TextDecoder("latin1").decode(file.subarray(8, end)), file.subarray(end)];
}

function withHeader(header: string, rest: Uint8Array): Uint8Array {
  const changed = fileOf(header, rest.length);
  changed.set(rest, changed.length - rest.length);
  return changed;
}

/** One token in the place of another, and a few more or less. */
function otherTokens(file: Uint8Array, random: Random): Uint8Array {
  const [header, rest] = partsOf(file);
  const parts = header.split(/("[^"]*"|\d+)/);
  parts[isIn(random, parts.length)] = TOKENS[isIn(random, TOKENS.length)]!;
  if (random() < 0.2) parts.splice(isIn(random, parts.length), isIn(random, 3), TOKENS[isIn(random, TOKENS.length)]!);
  return withHeader(parts.join(""), rest);
}

/** Another shape of as many elements. */
function otherShape(file: Uint8Array, random: Random): Uint8Array {
  const [header, rest] = partsOf(file);
  const form = ["$1,1", "1,$1", "$1,1,1", "$1"][isIn(random, 4)]!;
  const parts = header.split(/(?="shape")/);
  const at = isIn(random, parts.length);
  parts[at] = parts[at]!.replace(/^"shape":\[(\d+)\]/, `"shape":[${form}]`);
  return withHeader(parts.join(""), rest);
}

/** Elements that are others. */
function otherBytes(file: Uint8Array, random: Random): Uint8Array {
  const [header, rest] = partsOf(file);
  const changed = rest.slice();
  for (let time = 0; time < 4 && rest.length > 0; time++) changed[isIn(random, rest.length)] = isIn(random, 256);
  return withHeader(header, changed);
}

const DAMAGES: readonly ((file: Uint8Array, random: Random) => Uint8Array)[] = [
  otherTokens,
  otherTokens,
  otherShape,
  otherBytes,
  (file, random) => file.slice(0, isIn(random, file.length)),
  (file, random) => Uint8Array.of(...file, isIn(random, 256)),
  (file, random) => {
    const changed = file.slice();
    changed[isIn(random, file.length)]! ^= 1 << isIn(random, 8);
    return changed;
  },
  (file, random) => {
    const [from, to] = [isIn(random, file.length), isIn(random, file.length)];
    return file.slice().copyWithin(to, from, from + isIn(random, 40));
  },
  (file, random) => {
    const changed = file.slice();
    changed[isIn(random, 8)] = isIn(random, 256);
    return changed;
  },
];

/** The file with one to three damages. */
export function damaged(file: Uint8Array, random: Random): Uint8Array {
  let changed = file;
  const times = random() < 0.7 ? 1 : 2;
  for (let time = 0; time < times && changed.length > 8; time++)
    changed = DAMAGES[isIn(random, DAMAGES.length)]!(changed, random);
  return changed;
}

/** A state with every class of number, NaN but in the variance. */
export function strange<D extends DType>(dtype: D): BatchNorm<D> {
  const layer = new BatchNorm(6, { dtype });
  layer.weight!.set([NaN, Infinity, -Infinity, -0, 1e-45, 3.4028234663852886e38]);
  layer.bias!.set([0.1, 1 / 3, -1e-320, NaN, 2 ** -126, -7]);
  layer.runningMean!.set([1e-40, -0, 0, 123456.789, NaN, 1]);
  layer.runningVar!.set([0, Infinity, 1e-45, 2, 3e38, 0.1]);
  layer.numBatchesTracked = Number.MAX_SAFE_INTEGER;
  return layer;
}
