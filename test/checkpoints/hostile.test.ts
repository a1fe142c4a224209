// Files that are damaged or made to harm: each is refused with a stable code, before memory is taken for what it claims.
import { describe, expect, test } from "vitest";
import * as json from "../../src/json.js";
import { findBatchNorms, open } from "../../src/safetensors.js";
import { fileOf } from "./files.js";

const tensor = (shape: string, offsets: string, dtype = '"F32"'): string =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;
const good = `{"a":${tensor("[1]", "[0,4]")}}`;
const NONE = "this is no safetensors file";

const CASES: readonly (readonly [string, Uint8Array, string])[] = [
  ["nothing", new Uint8Array(0), "the file is cut short: it expected 8 bytes from 0, and ends at 0"],
  ["7 bytes", new Uint8Array(7), "the file is cut short: it expected 8 bytes from 0, and ends at 7"],
  ["a header of no bytes", new Uint8Array(8), `the header expected "{" at its start: ${NONE}`],
  [
    "a header of 2^63 bytes",
    fileOf(good, 4, 2n ** 63n),
    `the header expected at most 100000000 bytes, got ${2n ** 63n}: ${NONE}`,
  ],
  [
    "a header of 2^64 - 1 bytes",
    fileOf(good, 4, 2n ** 64n - 1n),
    `the header expected at most 100000000 bytes, got ${2n ** 64n - 1n}: ${NONE}`,
  ],
  [
    "a header beyond the end",
    fileOf(good, 4, 1000n),
    `the file is cut short: it expected 1000 bytes from 8, and ends at ${8 + good.length + 4}`,
  ],
  ["no object", fileOf("[1]"), `the header expected "{" at its start: ${NONE}`],
  ["a space before the object", fileOf(` ${good}`, 4), `the header expected "{" at its start: ${NONE}`],
  [
    "text behind the object",
    fileOf(`${good} x`, 4),
    `the JSON expected the end at character ${good.length + 1}, got "x"`,
  ],
  ["bytes that are no UTF-8", fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22)), "the file expected text in UTF-8"],
  ["a byte order mark", fileOf(`\uFEFF${good}`, 4), `the header expected "{" at its start: ${NONE}`],
  [
    "an object that does not end",
    fileOf(good.slice(0, -1), 4),
    `the JSON expected "," or "}" at character ${good.length - 1}, got the end`,
  ],
  [
    "a comma at the end",
    fileOf(`${good.slice(0, -1)},}`, 4),
    `the JSON expected a key at character ${good.length}, got "}"`,
  ],
  ["no colon", fileOf('{"a" 1}'), 'the JSON expected ":" at character 5, got "1"'],
  ["a string that does not end", fileOf('{"a'), 'the JSON expected a string that ends at character 1, got "\\""'],
  [
    "a wrong escape",
    fileOf('{"\\q":1}'),
    'the JSON expected a string without control characters and wrong escapes at character 1, got "\\""',
  ],
  [
    "a line break in a string",
    fileOf('{"\n":1}'),
    'the JSON expected a string without control characters and wrong escapes at character 1, got "\\""',
  ],
  ["a word", fileOf('{"a":nil}'), 'the JSON expected a value at character 5, got "n"'],
  ["a number with a leading zero", fileOf('{"a":01}'), 'the JSON expected a value at character 5, got "0"'],
  ["deep arrays", fileOf(`{"a":${"[".repeat(1e6)}`), 'the JSON expected at most 16 levels at character 21, got "["'],
  ["deep objects", fileOf('{"a":'.repeat(1e5)), 'the JSON expected at most 16 levels at character 85, got "{"'],
  [
    "a tensor twice",
    fileOf(`{"a":${tensor("[1]", "[0,4]")},"\\u0061":${tensor("[1]", "[0,4]")}}`, 4),
    `the JSON expected a key that did not occur before at character ${good.length}, got "\\""`,
  ],
  [
    "a field twice",
    fileOf('{"a":{"dtype":"F32","dtype":"F32"}}'),
    'the JSON expected a key that did not occur before at character 20, got "\\""',
  ],
  ["no tensor", fileOf('{"a":5}'), '"a" in the header expected an object'],
  [
    "no fields",
    fileOf('{"a":{}}'),
    '"a" in the header expected "dtype" to be one of BOOL, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64',
  ],
  [
    "an unknown type",
    fileOf(`{"a":${tensor("[1]", "[0,4]", '"F31"')}}`, 4),
    '"a" in the header expected "dtype" to be one of BOOL, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64',
  ],
  [
    "a type that is an inherited name",
    fileOf(`{"a":${tensor("[1]", "[0,4]", '"constructor"')}}`, 4),
    '"a" in the header expected "dtype" to be one of BOOL, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64',
  ],
  ["no shape", fileOf('{"a":{"dtype":"F32"}}'), '"a" in the header expected "shape" to be an array of sizes'],
  [
    "a shape that is an object",
    fileOf(`{"a":${tensor("{}", "[0,4]")}}`, 4),
    '"a" in the header expected "shape" to be an array of sizes',
  ],
  [
    "a size below 0",
    fileOf(`{"a":${tensor("[-1]", "[0,4]")}}`, 4),
    '"a" in the header expected "shape" to be an array of sizes',
  ],
  [
    "a size of 1.5",
    fileOf(`{"a":${tensor("[1.5]", "[0,6]")}}`, 6),
    '"a" in the header expected "shape" to be an array of sizes',
  ],
  [
    "a size of NaN",
    fileOf(`{"a":${tensor("[NaN]", "[0,4]")}}`, 4),
    '"a" in the header expected "shape" to be an array of sizes',
  ],
  [
    "a size of 2^53",
    fileOf(`{"a":${tensor(`[${2 ** 53}]`, "[0,4]")}}`, 4),
    '"a" in the header expected "shape" to be an array of sizes',
  ],
  [
    "a size of 10^1000",
    fileOf(`{"a":${tensor(`[1${"0".repeat(1000)}]`, "[0,4]")}}`, 4),
    '"a" in the header expected "shape" to be an array of sizes',
  ],
  [
    "a product that overflows",
    fileOf(
      `{"a":${tensor(
        `[${Array(20)
          .fill(2 ** 52)
          .join(",")}]`,
        "[0,4]",
      )}}`,
      4,
    ),
    expect.stringMatching(/^"a" in the header expected .* bytes for its shape of F32, got 4$/) as string,
  ],
  [
    "too many axes",
    fileOf(`{"a":${tensor(`[${Array(65).fill(1).join(",")}]`, "[0,4]")}}`, 4),
    '"a" in the header expected at most 64 axes, got 65',
  ],
  [
    "one offset",
    fileOf(`{"a":${tensor("[1]", "[4]")}}`, 4),
    '"a" in the header expected "data_offsets" to be a begin and an end',
  ],
  [
    "offsets in the wrong order",
    fileOf(`{"a":${tensor("[1]", "[4,0]")}}`, 4),
    '"a" in the header expected "data_offsets" to be a begin and an end',
  ],
  [
    "a shape that needs more bytes",
    fileOf(`{"a":${tensor("[2]", "[0,4]")}}`, 4),
    '"a" in the header expected 8 bytes for its shape of F32, got 4',
  ],
  [
    "offsets beyond the end",
    fileOf(`{"a":${tensor("[2]", "[0,8]")}}`, 4),
    "the file expected 8 bytes of elements by its header, got 4",
  ],
  [
    "a tensor of 2^50 bytes",
    fileOf(`{"a":${tensor(`[${2 ** 48}]`, `[0,${2 ** 50}]`)}}`, 4),
    `the file expected ${2 ** 50} bytes of elements by its header, got 4`,
  ],
  ["bytes behind the last tensor", fileOf(good, 5), "the file expected 4 bytes of elements by its header, got 5"],
  [
    "a gap",
    fileOf(`{"a":${tensor("[1]", "[4,8]")}}`, 8),
    '"a" in the header expected to begin at 0, where the tensor before it ends, got 4',
  ],
  [
    "an overlap",
    fileOf(`{"a":${tensor("[2]", "[0,8]")},"b":${tensor("[1]", "[4,8]")}}`, 8),
    '"b" in the header expected to begin at 8, where the tensor before it ends, got 4',
  ],
  [
    "metadata that is no object",
    fileOf('{"__metadata__":[]}'),
    '"__metadata__" in the header expected an object of strings',
  ],
  [
    "metadata that is no text",
    fileOf('{"__metadata__":{"a":1}}'),
    '"__metadata__" in the header expected an object of strings',
  ],
];

test.each(CASES)("%s", async (_, bytes, message) => {
  await expect(open(bytes)).rejects.toMatchObject({ name: "RangeError", code: "ERR_BATCHNORM_FILE", message });
});

test("a good file, and names that mean something elsewhere", async () => {
  expect([...(await open(fileOf(good, 4))).tensors.keys()]).toEqual(["a"]);
  const names = ["__proto__", "constructor.running_mean", "toString", "", "한국어/running_var", "\\n"];
  const header = names.map((name, i) => `"${name}":${tensor("[1]", `[${4 * i},${4 * i + 4}]`)}`).join(",");
  const file = fileOf(`{${header}}`, 4 * names.length);
  expect([...(await open(file)).tensors.keys()]).toEqual([...names.slice(0, 5), "\n"]);
  expect((await findBatchNorms(file)).map(({ prefix }) => prefix)).toEqual(["constructor.", "한국어/"]);
});

test("tensors without elements stand anywhere, and the header in any order", async () => {
  const [some, none, last] = [tensor("[1]", "[0,4]"), tensor("[0,3]", "[0,0]"), tensor("[0]", "[4,4]")];
  const file = fileOf(`{"last":${last},"some":${some},"none":${none}}`, 4);
  const { tensors } = await open(file);
  expect([...tensors.keys()]).toEqual(["last", "some", "none"]);
  expect(await tensors.get("none")!.read()).toEqual(new Float32Array(0));
});

test("a message does not have the length of a name", async () => {
  const name = "a".repeat(1e5);
  const error: unknown = await open(fileOf(`{"${name}":5}`)).catch((reason: unknown) => reason);
  expect((error as Error).message).toBe(`"${name.slice(0, 100)}…" in the header expected an object`);
});

test("nothing is read of a file that claims too much", async () => {
  const reads: number[] = [];
  const file = fileOf(good, 4, 99_999_999n);
  const source = {
    stat: () => Promise.resolve({ size: file.length }),
    read: (buffer: Uint8Array, offset: number, length: number, position: number) => {
      reads.push(length);
      buffer.set(file.subarray(position, position + length), offset);
      return Promise.resolve({ bytesRead: length });
    },
  };
  await expect(open(source)).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE" });
  expect(reads).toEqual([8]);
});

describe("JSON", () => {
  const JSON_CASES: readonly (readonly [string, string | Uint8Array, string])[] = [
    ["nothing", "", 'the JSON expected "{" at character 0, got the end'],
    ["an array", "[]", 'the JSON expected "{" at character 0, got "["'],
    ["bytes that are no UTF-8", Uint8Array.of(0xff), "the file expected text in UTF-8"],
    ["a key twice", '{"a":[1],"a":[1]}', 'the JSON expected a key that did not occur before at character 9, got "\\""'],
    ["deep nesting", `{"a":${"[".repeat(1e6)}`, 'the JSON expected at most 16 levels at character 21, got "["'],
    [
      "an unknown type",
      '{"a":{"dtype":"F32","shape":[1],"data":[1]}}',
      '"a" in the file expected "dtype" to be "float32" or "float64"',
    ],
    ["a wrong shape", '{"a":{"shape":[2],"data":[1]}}', '"a" in the file expected 2 elements for its shape, got 1'],
  ];

  test.each(JSON_CASES)("%s", async (_, text, message) => {
    await expect(json.open(text)).rejects.toMatchObject({ name: "RangeError", code: "ERR_BATCHNORM_FILE", message });
  });

  test.each([
    ["null", '"a" in the file expected numbers, "NaN", "Infinity" or "-Infinity", got null'],
    ['"1"', '"a" in the file expected numbers, "NaN", "Infinity" or "-Infinity", got "1"'],
    ["1e39", '"a" in the file expected numbers that float32 can hold, got 1e+39'],
  ])("an element %s", async (element, message) => {
    const tensor = (await json.open(`{"a":[1,${element}]}`)).tensors.get("a")!;
    await expect(tensor.read()).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE", message });
  });
});
