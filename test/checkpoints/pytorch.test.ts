// Files of torch: those that torch 1.13 wrote, and those that torch read.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { BatchNorm } from "../../src/index.js";
import { findBatchNorms, load, open, save, type TensorArray } from "../../src/pytorch.js";
import { save as saveBytes } from "../../src/safetensors.js";
import { root } from "../support/package-copy.js";
import { archive, dict, global, integer, storage, tensor, text } from "./archives.js";
import { strange } from "./files.js";

/** Written by scripts/torch/checkpoints.py. */
const pathOf = (name: string): string => join(root, "test", "checkpoints", "pytorch", name);
const fileOf = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(pathOf(name)));

const f32 = (shape: readonly number[], ...values: readonly number[]): unknown => [
  "float32",
  shape,
  Float32Array.from(values),
];

const KINDS: Readonly<Record<string, unknown>> = {
  double: ["float64", [3], Float64Array.of(0.1, -0.2, 1e300)],
  float: f32([3], 1.5, -0, Infinity),
  half: ["float16", [2], Uint16Array.of(0x3e00, 0xc000)],
  bfloat16: ["bfloat16", [3], Uint16Array.of(0x3f80, 0x4000, 0xc040)],
  long: ["int64", [2], BigInt64Array.of(2n ** 40n + 1n, -1n)],
  int: ["int32", [1], Int32Array.of(-5)],
  short: ["int16", [1], Int16Array.of(-6)],
  char: ["int8", [1], Int8Array.of(-7)],
  byte: ["uint8", [1], Uint8Array.of(200)],
  bool: ["bool", [2], Uint8Array.of(1, 0)],
  scalar: f32([], 2.5),
  none: f32([0, 4]),
  parameter: f32([1], 7),
  matrix: f32([2, 3], 0, 1, 2, 3, 4, 5),
  transposed: f32([3, 2], 0, 3, 1, 4, 2, 5),
  part: f32([2], 2, 3),
  "every other": f32([3], 1, 3, 5),
  expanded: f32([2, 3], 3, 3, 3, 4, 4, 4),
  "channels last": f32([1, 2, 2, 2], 0, 1, 2, 3, 4, 5, 6, 7),
  same: f32([2, 3], 0, 1, 2, 3, 4, 5),
  "list.0": f32([1], 1),
  "list.1.0": f32([1], 2),
  "ordered.a": f32([1], 3),
  "ordered.b.c": f32([1], 4),
  7: f32([1], 5),
};

test.each(["kinds.pt", "protocol-5.pt"])("%s is read as torch wrote it", async (name) => {
  const { tensors, metadata } = await open(fileOf(name));
  const read = [...tensors.values()].map(async (it) => [it.name, [it.dtype, it.shape, await it.read()]]);
  expect(Object.fromEntries(await Promise.all(read))).toEqual(KINDS);
  expect(Object.fromEntries(metadata)).toEqual({
    "numbers.int": "-3",
    "numbers.large": String(2n ** 70n),
    "numbers.float": "0.5",
    "numbers.flag": "true",
    "numbers.text": "한국어",
  });
});

test("the state of a residual network, inside the checkpoint of a training", async () => {
  const file = await open(fileOf("resnet.pt"));
  const found = await findBatchNorms(file);
  expect(found.map(({ prefix, channels, missing }) => [prefix, channels, missing.length])).toEqual([
    ["model.bn1.", 2, 0],
    ["model.layer1.0.bn1.", 2, 0],
    ["model.layer1.0.bn2.", 2, 0],
    ["model.layer2.0.bn1.", 3, 0],
    ["model.layer2.0.bn2.", 3, 0],
    ["model.layer2.0.downsample.1.", 3, 0],
    ["ema.module.bn1.", 2, 3],
  ]);
  expect([file.metadata.get("epoch"), file.metadata.get("arch"), file.metadata.get("best")]).toEqual([
    "3",
    "tiny",
    "0.5",
  ]);
  const layer = await load(file, "model.layer2.0.downsample.1.", { eps: 1e-3 });
  expect([layer.training, layer.eps, layer.dtype, layer.numBatchesTracked]).toEqual([false, 1e-3, "float32", 3]);
  await expect(load(file, "ema.module.bn1.")).rejects.toMatchObject({ code: "ERR_BATCHNORM_STATE" });
});

test("the same network in both formats has the same layers", async () => {
  const safetensors = await import("../../src/safetensors.js");
  for (const { prefix } of await findBatchNorms(fileOf("network.pt"))) {
    const layer = await load(fileOf("network.pt"), prefix);
    expect(saveBytes(layer)).toEqual(saveBytes(await safetensors.load(fileOf("network.safetensors"), prefix)));
  }
});

test.each(["float32", "float64", "float16", "bfloat16"] as const)("%s: the same bits come back", async (dtype) => {
  const layer = strange(dtype);
  const file = save({ "a.": layer, "b.": new BatchNorm(1) });
  const loaded = await load(file, "a.", { dtype });
  expect(loaded.dtype).toBe(dtype);
  expect(saveBytes(loaded)).toEqual(saveBytes(layer));
  expect(save({ "a.": loaded, "b.": new BatchNorm(1) })).toEqual(file);
});

const ALL: Readonly<Record<string, { dtype: string; shape: number[]; data: TensorArray }>> = {
  bool: { dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) },
  uint8: { dtype: "uint8", shape: [1], data: Uint8Array.of(200) },
  int8: { dtype: "int8", shape: [1], data: Int8Array.of(-1) },
  int16: { dtype: "int16", shape: [1], data: Int16Array.of(-2) },
  int32: { dtype: "int32", shape: [1], data: Int32Array.of(-3) },
  int64: { dtype: "int64", shape: [], data: BigInt64Array.of(-(2n ** 60n)) },
  float16: { dtype: "float16", shape: [2, 1], data: Uint16Array.of(0x3c00, 1) },
  bfloat16: { dtype: "bfloat16", shape: [1], data: Uint16Array.of(0x3f80) },
  float32: { dtype: "float32", shape: [1], data: Float32Array.of(0.1) },
  float64: { dtype: "float64", shape: [2], data: Float64Array.of(0.1, -0) },
  한국어: { dtype: "float32", shape: [0, 4], data: new Float32Array(0) },
};
/** Types that torch has since version 2.3. */
const NEW: typeof ALL = {
  uint16: { dtype: "uint16", shape: [1], data: Uint16Array.of(65535) },
  uint32: { dtype: "uint32", shape: [1], data: Uint32Array.of(2 ** 32 - 1) },
  uint64: { dtype: "uint64", shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  float8_e5m2: { dtype: "float8_e5m2", shape: [1], data: Uint8Array.of(1) },
  float8_e4m3: { dtype: "float8_e4m3", shape: [1], data: Uint8Array.of(2) },
  float8_e8m0: { dtype: "float8_e8m0", shape: [1], data: Uint8Array.of(3) },
};

test("every type of elements is saved and read again", async () => {
  const { tensors } = await open(save({ ...ALL, ...NEW }));
  const read = [...tensors.values()].map(async (it) => [
    it.name,
    { dtype: it.dtype, shape: it.shape, data: await it.read() },
  ]);
  expect(Object.fromEntries(await Promise.all(read))).toEqual({ ...ALL, ...NEW });
});

test("a saved file has the bytes that torch 1.13 read with weights_only=True", () => {
  // scripts/torch/read_saved.py read this file. After a change it must do so again.
  const layer = new BatchNorm(3);
  layer.weight!.set([1, -0, NaN]);
  layer.numBatchesTracked = 2 ** 40 + 1;
  const file = save({ "bn1.": layer, ...ALL });
  expect(createHash("sha256").update(file).digest("hex")).toBe(
    "d4fd09ae450ac4f084620e7b3ea46bb07f8cd5a91bd7c9cd0febfc3b008c29af",
  );
});

describe("what is read of a file", () => {
  test("the directory, the pickle and the layer", async () => {
    const file = await openFile(pathOf("resnet.pt"));
    const read = vi.spyOn(file, "read");
    const pickle = (await open(fileOf("resnet.pt"))).tensors.size * 120;
    await load(file, "model.bn1.");
    const bytes = read.mock.calls.map((call) => (call as unknown[])[2] as number).reduce((a, b) => a + b);
    const { size } = await file.stat();
    expect(bytes).toBeGreaterThan(pickle);
    expect(bytes).toBeLessThan(0.8 * size);
    await file.close();
  });

  test.each([
    ["a Blob", () => new Blob([fileOf("network.pt")])],
    ["a Response", () => new Response(fileOf("network.pt"))],
    ["an ArrayBuffer", () => fileOf("network.pt").buffer],
  ])("%s", async (_, source) => {
    expect(await findBatchNorms(source())).toHaveLength(3);
  });

  test("a server that does not say the size", async () => {
    const file = fileOf("network.pt");
    const answer = vi.fn((_: string, options?: { headers: object }) =>
      Promise.resolve(
        options === undefined
          ? new Response(file)
          : new Response(file.slice(0, 8), { status: 206, headers: { "Content-Range": "bytes 0-7/*" } }),
      ),
    );
    vi.stubGlobal("fetch", answer);
    expect(await findBatchNorms({ href: "https://example.com/network.pt" })).toHaveLength(3);
    vi.unstubAllGlobals();
    expect(answer).toHaveBeenCalledTimes(2);
  });

  test("an archive with a comment", async () => {
    const file = fileOf("network.pt");
    const commented = Uint8Array.of(...file, ...new TextEncoder().encode("a comment"));
    new DataView(commented.buffer).setUint16(file.length - 2, 9, true);
    expect(await findBatchNorms(commented)).toHaveLength(3);
  });
});

describe("rarer forms", () => {
  const elements = async (file: Uint8Array): Promise<unknown> => (await open(file)).tensors.get("a")!.read();

  test("elements of the other byte order", async () => {
    const bytes = new TextEncoder().encode("big");
    const big = Uint8Array.of(0x3f, 0x80, 0, 0, 0x40, 0, 0, 0);
    const file = archive(dict(text("a"), tensor()), [["archive/byteorder", bytes]], big);
    expect(await elements(file)).toEqual(Float32Array.of(1, 2));
  });

  test("a tensor with attributes, and a parameter with state", async () => {
    const call = (module: string, name: string, ...args: number[][]): number[] => [
      ...global(module, name),
      0x28,
      ...args.flat(),
      0x74,
      0x52,
    ];
    const make = global("torch._utils", "_rebuild_tensor_v2");
    const rest = tensor({ make }).slice(make.length, -1);
    const typed = call("torch._tensor", "_rebuild_from_type_v2", make, global("torch", "Tensor"), rest, [0x7d]);
    expect(await elements(archive(dict(text("a"), typed)))).toEqual(Float32Array.of(1, 2));
    const parameter = call("torch._utils", "_rebuild_parameter_with_state", tensor(), [0x88], [0x7d], [0x7d]);
    expect(await elements(archive(dict(text("a"), parameter)))).toEqual(Float32Array.of(1, 2));
  });

  test("a storage of bytes, whose tensor says its type", async () => {
    const of = storage("0", 8, global("torch.storage", "UntypedStorage"));
    const make = global("torch._utils", "_rebuild_tensor_v3");
    const file = archive(
      dict(text("a"), tensor({ of, make, more: global("torch", "uint16"), shape: [3], offset: integer(1) })),
    );
    expect(await elements(file)).toEqual(Uint16Array.of(0x3f80, 0, 0x4000));
  });

  test("a tensor alone, and in a list", async () => {
    const alone = Uint8Array.of(0x80, 2, ...tensor(), 0x2e);
    expect([...(await open(archive(alone))).tensors.keys()]).toEqual([""]);
    const list = Uint8Array.of(0x80, 2, 0x5d, ...tensor(), 0x61, 0x2e);
    expect([...(await open(archive(list))).tensors.keys()]).toEqual(["0"]);
  });
});
