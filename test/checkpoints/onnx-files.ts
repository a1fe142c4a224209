// ONNX models to be damaged, and the damages: bits, lengths, parts that are gone, and parts of others.
import { readFileSync } from "node:fs";
import { toFloat16Bits } from "../../src/index.js";
import type { Random } from "../../src/verify/data.js";
import { externalProto, graphProto, modelOf, tensorProto, type ModelNode } from "../support/onnx-models.js";

const exported = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`exported/${name}.onnx`, import.meta.url)));

const NAMES = ["w", "b", "m", "v"];
const norm: ModelNode = { op: "BatchNormalization", name: "n", inputs: ["x", ...NAMES], outputs: ["y"] };
const list = Float32Array.of(1, 2);
const half = toFloat16Bits(list);

/** Every way of storing elements, in a graph and in one inside it. */
function mixed(): Uint8Array {
  const stored = [
    tensorProto("w", half, { type: "float16", storing: "int32" }),
    tensorProto("b", list, { storing: "float" }),
    tensorProto("m", Float64Array.from(list), { type: "float64" }),
  ];
  const constant: ModelNode = { op: "Constant", inputs: [], outputs: ["v"], value: tensorProto("", list) };
  const graph = graphProto({ nodes: [constant, { ...norm, attributes: { "f:epsilon": 0.5, spatial: 0 } }] });
  return modelOf({ nodes: [{ op: "If", inputs: [], outputs: ["z"], graph }], initializers: stored }, 7);
}

/** A single small node, most of whose bytes mean something. */
const tiny = modelOf({ nodes: [norm], initializers: NAMES.map((name) => tensorProto(name, list)) });

export const models: readonly Uint8Array[] = [tiny, mixed(), exported("conv-bn-relu"), tiny, exported("training")];

const isIn = (random: Random, size: number): number => Math.floor(random() * size);

const DAMAGES: readonly ((file: Uint8Array, random: Random) => Uint8Array)[] = [
  (file, random) => {
    const changed = file.slice();
    changed[isIn(random, file.length)]! ^= 1 << isIn(random, 8);
    return changed;
  },
  (file, random) => {
    const changed = file.slice();
    changed[isIn(random, file.length)] = [0, 1, 0x7f, 0x80, 0xff, isIn(random, 256)][isIn(random, 6)]!;
    return changed;
  },
  (file, random) => file.slice(0, isIn(random, file.length)),
  (file, random) => {
    const [from, to] = [isIn(random, file.length), isIn(random, file.length)];
    return file.slice().copyWithin(to, from, from + isIn(random, 40));
  },
  (file, random) => {
    const at = isIn(random, file.length);
    return Uint8Array.of(...file.subarray(0, at), ...file.subarray(at + isIn(random, 6)));
  },
  // Varints of every length in the place of a byte.
  (file, random) => {
    const at = isIn(random, file.length);
    const varint = [...Array<number>(isIn(random, 11)).fill(random() < 0.5 ? 0x80 : 0xff), isIn(random, 128)];
    return Uint8Array.of(...file.subarray(0, at), ...varint, ...file.subarray(at + 1));
  },
];

/** The model with one to three damages. */
export function damagedModel(file: Uint8Array, random: Random): Uint8Array {
  let changed = file;
  const times = 1 + isIn(random, 3);
  for (let time = 0; time < times && changed.length > 8; time++)
    changed = DAMAGES[isIn(random, DAMAGES.length)]!(changed, random);
  return changed;
}

/** The file beside the models with external data. */
export const beside = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer);

/** What stands in the places of external data, and what leads elsewhere. */
const LOCATIONS = [
  ...[
    "d.bin",
    "d.bin",
    "d.bin",
    "a/d.bin",
    "./d.bin",
    "a//d.bin",
    "",
    ".",
    "..",
    "../d.bin",
    "a/../../d.bin",
    "/d.bin",
  ],
  ...[
    "C:d.bin",
    "..\\d.bin",
    "%2e%2e/d.bin",
    "http://h/d.bin",
    "//h/d.bin",
    ".\t./d.bin",
    " ..",
    ".. ",
    "... /d",
    "C|/d.bin",
  ],
];
const PIECES = ["..", ".", "/", "a", "\\", "%2e", "%2F", ":", " ", "\t", "\u0000", "d.bin", "h", "?", "#", "C|"];
const NUMBERS = [
  "0",
  "0",
  "8",
  "16",
  "24",
  "25",
  "32",
  "-8",
  "1e1",
  "0x8",
  " 8",
  "",
  "9007199254740991",
  "9007199254740992",
];

/** A model with external data at places of any kind; half of them are damaged as well. */
export function externalModel(random: Random): Uint8Array {
  const pick = (list: readonly string[]): string => list[isIn(random, list.length)]!;
  const location = (): string =>
    random() < 0.8 ? pick(LOCATIONS) : Array.from({ length: 1 + isIn(random, 5) }, () => pick(PIECES)).join("");
  const all = { location: location(), offset: pick(NUMBERS), length: "8", checksum: "0" };
  const initializers = NAMES.map((name) => {
    const own =
      random() < 0.7
        ? { location: "d.bin", offset: "8" }
        : { ...all, ...(random() < 0.5 && { length: pick(NUMBERS) }) };
    return random() < 0.8 ? externalProto(name, [2], own) : tensorProto(name, list);
  });
  const file = modelOf({ nodes: [norm], initializers });
  return random() < 0.5 ? file : damagedModel(file, random);
}
