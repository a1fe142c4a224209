// Files of torch that are damaged or made to harm: each is refused with a stable code, fast, and nothing is run.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeZip } from "../../src/checkpoints/zip-writer.js";
import { open } from "../../src/pytorch.js";
import { root } from "../support/package-copy.js";
import {
  archive,
  bytesOf,
  dict,
  directoryOf,
  global,
  integer,
  patched,
  PROTOCOL,
  storage,
  tensor,
  text,
  tuple,
  type PicklePart,
} from "./archives.js";

const good = archive(dict(text("a"), tensor()));
const directory = directoryOf(good);
const fileOf = (name: string): Uint8Array => readFileSync(join(root, "test", "checkpoints", "pytorch", name));
const of = (...parts: readonly PicklePart[]): Uint8Array => archive(bytesOf(PROTOCOL, ...parts));

const NONE = "this is no file of torch.save";
const ADVICE = "and no code of a file is run: save tensors alone, as with torch.save(model.state_dict(), path)";

/** Ten lists, each of which has the one before it a hundred times. */
const LAUGHS = of(
  "]q\x00",
  Array.from(
    { length: 10 },
    (_, i) => `0](${`h${String.fromCharCode(i)}`.repeat(100)}eq${String.fromCharCode(i + 1)}`,
  ).join(""),
  ".",
);

const PICKLES: readonly (readonly [string, Uint8Array, string])[] = [
  ["no opcodes", archive(new Uint8Array(0)), "the pickle expected to go on at byte 0"],
  ["no value", of("."), "the pickle expected a value on the stack at byte 2"],
  ["two values", of("NN."), "the pickle expected one value, got several at byte 4"],
  [
    "a call of os.system",
    of(global("posix", "system"), tuple(text("id")), "R."),
    `the pickle has "posix.system" of Python, ${ADVICE}`,
  ],
  [
    "a call of eval",
    of(global("__builtin__", "eval"), tuple(text("1")), "R."),
    `the pickle has "__builtin__.eval" of Python, ${ADVICE}`,
  ],
  [
    "a call by names on the stack",
    of(text("os"), text("system"), [0x93], "."),
    `the pickle has "os.system" of Python, ${ADVICE}`,
  ],
  [
    "a global that has an inherited name",
    of(global("", "constructor"), "."),
    `the pickle has ".constructor" of Python, ${ADVICE}`,
  ],
  [
    "a class that cannot be called",
    of(global("torch", "FloatStorage"), ")R."),
    'the pickle expected "torch.FloatStorage" not to be called at byte 23',
  ],
  ["a call of what is no global", of("N)R."), "the pickle expected a global and a tuple at byte 4"],
  ["an instance by INST", of("(ios\nsystem\n."), "the pickle expected an opcode of plain data, got 0x69 at byte 3"],
  ["a class of the registry", of([0x82, 1], "."), "the pickle expected an opcode of plain data, got 0x82 at byte 2"],
  ["an integer as text", of("I1\n."), "the pickle expected an opcode of plain data, got 0x49 at byte 2"],
  ["protocol 0", archive(bytesOf([0x80, 0], "N.")), "the pickle expected a protocol from 2 to 5, got 0 at byte 0"],
  ["protocol 6", archive(bytesOf([0x80, 6], "N.")), "the pickle expected a protocol from 2 to 5, got 6 at byte 0"],
  ["attributes of no dict", of("NNb."), "the pickle expected attributes of a dict at byte 4"],
  ["text beyond the end", of([0x58, 255, 255, 255, 255], "a."), "the pickle expected to go on at byte 2"],
  ["bytes of 2^63", of([0x8e, 0, 0, 0, 0, 0, 0, 0, 128], "."), "the pickle expected to go on at byte 2"],
  ["text that is no UTF-8", of([0x58, 1, 0, 0, 0, 255], "."), "the pickle expected text in UTF-8 at byte 2"],
  [
    "an integer of 2^31 bytes",
    of([0x8b, 0, 0, 0, 128], "."),
    "the pickle expected an integer of at most 255 bytes at byte 2",
  ],
  ["a name without an end", of(`c${"a".repeat(1000)}`), "the pickle expected a line of at most 255 bytes at byte 2"],
  ["no mark", of("NNt."), "the pickle expected a mark on the stack at byte 4"],
  ["a mark in the place of a value", of("(\x85."), "the pickle expected a value on the stack at byte 3"],
  ["a value that was not remembered", of("h\x05."), "the pickle expected the value 5, which it remembers at byte 2"],
  ["items of no list", of("N(Ne."), "the pickle expected a list at byte 5"],
  ["a key without a value", of("}(Nu."), "the pickle expected a dict, and as many keys as values at byte 5"],
  [
    "a key twice",
    of("}(", text("a"), "N", text("a"), "Nu."),
    `the pickle expected a key that did not occur before, got "a" at byte 18`,
  ],
  [
    "a million lists",
    of("]".repeat(2 ** 20 + 1)),
    `the pickle expected at most ${2 ** 20} objects at byte ${2 ** 20 + 2}`,
  ],
  [
    "a value remembered again and again",
    of("N", "\x94".repeat(2 ** 20 + 1)),
    `the pickle expected at most ${2 ** 20} values to remember at byte ${2 ** 20 + 3}`,
  ],
  [
    "a pickle of 32 MB",
    archive(new Uint8Array(2 ** 25 + 1)),
    `the pickle expected at most ${2 ** 25} bytes, got ${2 ** 25 + 1}`,
  ],
  [
    "deep lists",
    of("]".repeat(5e5), "a".repeat(5e5 - 1), "."),
    "the file expected at most 16 levels of dicts, lists and tuples",
  ],
  ["a list in itself", of("]q\x00h\x00a."), "the file expected at most 16 levels of dicts, lists and tuples"],
  ["lists of the same lists", LAUGHS, "the file expected each value once: it has the same ones again and again"],
];

const TENSORS: readonly (readonly [string, Parameters<typeof tensor>[0], string])[] = [
  ["a shape beyond its storage", { shape: [3] }, 'a tensor expected to end within "archive/data/0" of 8 bytes, got 12'],
  [
    "a shape of 2^80 elements",
    { shape: [2 ** 40, 2 ** 40], stride: [2 ** 40, 1] },
    `a tensor expected to end within "archive/data/0" of 8 bytes, got ${4 * 2 ** 80}`,
  ],
  [
    "an offset beyond its storage",
    { offset: integer(1) },
    'a tensor expected to end within "archive/data/0" of 8 bytes, got 12',
  ],
  ["an offset below 0", { offset: integer(-1), shape: [1] }, "a tensor expected an offset of its first element"],
  ["an offset that is no number", { offset: text("1") }, "a tensor expected an offset of its first element"],
  ["a stride below 0", { stride: [-1] }, 'a tensor expected "stride" to be a tuple of sizes'],
  [
    "a stride beyond its storage",
    { stride: [2] },
    'a tensor expected to end within "archive/data/0" of 8 bytes, got 12',
  ],
  ["a size below 0", { shape: [-1] }, 'a tensor expected "size" to be a tuple of sizes'],
  ["fewer strides than axes", { shape: [1, 1] }, "a tensor of 2 axes expected as many strides, got 1"],
  [
    "65 axes",
    { shape: new Array<number>(65).fill(1), stride: new Array<number>(65).fill(1) },
    "a tensor expected at most 64 axes, got 65",
  ],
  ["no storage", { of: integer(1) }, "a tensor expected a storage"],
  ["a storage of another size", { of: storage("0", 3) }, '"archive/data/0" expected 12 bytes, got 8'],
  [
    "a storage of 2^63 elements",
    { of: storage("0", -1) },
    "the pickle expected a storage, its class, key, device and size",
  ],
  ["a storage that is not there", { of: storage("7") }, 'the archive expected an entry for the storage "7"'],
  [
    "a storage outside of its folder",
    { of: storage("../data.pkl") },
    'the archive expected an entry for the storage "../data.pkl"',
  ],
  [
    "a storage of a class that is none",
    { of: storage("0", 2, global("torch", "Tensor")) },
    '"torch.Tensor" is no storage',
  ],
  [
    "a storage of unknown elements",
    { of: storage("0", 2, global("torch", "ComplexFloatStorage")) },
    `the pickle has "torch.ComplexFloatStorage" of Python, ${ADVICE}`,
  ],
  [
    "a storage whose tensor does not say its type",
    { of: storage("0", 8, global("torch.storage", "UntypedStorage")) },
    "a tensor expected a storage of a known type",
  ],
  [
    "an unknown type",
    { make: global("torch._utils", "_rebuild_tensor_v3"), more: text("float32") },
    "a tensor expected a known element type",
  ],
  [
    "a sparse tensor",
    { make: global("torch._utils", "_rebuild_sparse_tensor") },
    `the pickle has "torch._utils._rebuild_sparse_tensor" of Python, ${ADVICE}`,
  ],
];

const entry2 = directory + 46 + "archive/data.pkl".length;
const end = good.length - 22;
const ARCHIVES: readonly (readonly [string, Uint8Array, string])[] = [
  ["nothing", new Uint8Array(0), `the file expected a zip archive: ${NONE}`],
  ["text", new TextEncoder().encode("a".repeat(1e5)), `the file expected a zip archive: ${NONE}`],
  ["the half of a file", good.slice(0, directory), `the file expected a zip archive: ${NONE}`],
  [
    "an archive of something else",
    writeZip([["a.txt", new Uint8Array(3)]]),
    `the archive expected one entry "…/data.pkl", got 0: ${NONE}`,
  ],
  [
    "two pickles",
    archive(dict(), [["other/data.pkl", dict()]]),
    `the archive expected one entry "…/data.pkl", got 2: ${NONE}`,
  ],
  ["a name twice", archive(dict(), [["archive/data/0", dict()]]), "the zip archive expected names that occur once"],
  [
    "an unknown order of bytes",
    archive(dict(), [["archive/byteorder", dict()]]),
    'the entry "byteorder" expected "little" or "big"',
  ],
  [
    "a compressed pickle",
    patched(good, directory + 10, 8, 2),
    'the zip archive expected "archive/data.pkl" to be stored, got compression method 8: unpack and store it',
  ],
  [
    "an encrypted pickle",
    patched(good, directory + 8, 1, 2),
    'the zip archive expected "archive/data.pkl" not to be encrypted',
  ],
  [
    "a pickle of two sizes",
    patched(good, directory + 24, 1, 4),
    'the zip archive expected "archive/data.pkl" of 1 bytes, got',
  ],
  [
    "entries that overlap",
    patched(good, entry2 + 42, 10, 4),
    'the zip archive expected "archive/data.pkl" to end before 10',
  ],
  [
    "an entry beyond the directory",
    patched(good, entry2 + 20, 2 ** 31, 4),
    'the zip archive expected "archive/data/0" to end before',
  ],
  ["an entry that is none", patched(good, 0, 0, 4), 'the zip archive expected "archive/data.pkl" at byte 0'],
  [
    "names that reach into what follows",
    patched(good, 26, 0xffff, 2),
    'the zip archive expected "archive/data.pkl" to end before',
  ],
  [
    "a directory that is none",
    patched(good, directory, 0, 4),
    "the zip archive expected an entry at byte 0 of its directory",
  ],
  ["a directory beyond the end", patched(good, end + 16, 2 ** 31, 4), "the zip archive expected a directory before"],
  [
    "a directory of 65535 entries",
    patched(good, end + 10, 65535, 2),
    "the zip archive expected a directory of 65535 entries, got",
  ],
  ["a directory of more entries", patched(good, end + 10, 3, 2), "the zip archive expected"],
  [
    "a name beyond the directory",
    patched(good, directory + 28, 65535, 2),
    "the zip archive expected entry 0 within its directory",
  ],
];

const codeOf = (message: string): object => ({
  name: "RangeError",
  code: "ERR_BATCHNORM_FILE",
  message: expect.stringContaining(message) as string,
});

test("a file like these is read", async () => {
  expect(await (await open(good)).tensors.get("a")!.read()).toEqual(Float32Array.of(1, 2));
});

describe.each([
  ["pickles", PICKLES],
  [
    "tensors",
    TENSORS.map(([name, parts, message]) => [name, archive(dict(text("a"), tensor(parts))), message] as const),
  ],
  ["archives", ARCHIVES],
])("%s", (_, cases) => {
  test.each(cases)("%s", async (_, file, message) => {
    await expect(open(file)).rejects.toMatchObject(codeOf(message));
  });
});

test.each([
  ["module.pt", `the pickle has "torch.nn.modules.batchnorm.BatchNorm1d" of Python, ${ADVICE}`],
  [
    "script.pt",
    "the file is a program of TorchScript: save its tensors alone, as with torch.save(model.state_dict(), path)",
  ],
  [
    "old.pt",
    "the file has the format of torch before version 1.6: open it with torch.load, and save it again with torch.save",
  ],
])("%s, which torch wrote", async (name, message) => {
  await expect(open(fileOf(name))).rejects.toMatchObject(codeOf(message));
});

test("a tensor of one element that claims to be many", async () => {
  const file = archive(dict(text("a"), tensor({ shape: [2 ** 40], stride: [0] })));
  const claimed = (await open(file)).tensors.get("a")!;
  await expect(claimed.read()).rejects.toMatchObject(
    codeOf('"a" expected at most 67108864 bytes of repeated elements'),
  );
});

test("two tensors of one name", async () => {
  const inner = bytesOf("}(", text("b"), tensor(), "u");
  const file = archive(dict(text("a"), [...inner], text("a.b"), tensor()));
  await expect(open(file)).rejects.toMatchObject(codeOf('two tensors have the name "a.b"'));
});
