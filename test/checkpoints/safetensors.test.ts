// safetensors: a file of the format's own library, read and written again to the byte, and layers that come back to the bit.
import { readFileSync, writeFileSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { BatchNorm, type DType, type StateDict } from "../../src/index.js";
import { findBatchNorms, load, open, save, type CheckpointSource, type TensorArray } from "../../src/safetensors.js";
import { root } from "../support/package-copy.js";
import { strange } from "./files.js";
import { folderOfTests } from "../support/folders.js";

/** Written by scripts/torch/safetensors_file.py. */
const reference = new Uint8Array(readFileSync(join(root, "test", "checkpoints", "reference.safetensors")));

const VALUES: Record<string, { dtype: string; shape: number[]; data: TensorArray }> = {
  "bn1.num_batches_tracked": { dtype: "int64", shape: [], data: BigInt64Array.of(2n ** 40n + 1n) },
  "deep/bn2/running_mean": { dtype: "float64", shape: [3], data: Float64Array.of(0.1, -0.2, 1e300) },
  "deep/bn2/running_var": { dtype: "float64", shape: [3], data: Float64Array.of(1, 2, 5e-324) },
  "bn1.bias": { dtype: "float32", shape: [2], data: Float32Array.of(0.5, Infinity) },
  "bn1.running_mean": { dtype: "float32", shape: [2], data: Float32Array.of(-1, 2 ** -149) },
  "bn1.running_var": { dtype: "float32", shape: [2], data: Float32Array.of(4, 0.25) },
  "bn1.weight": { dtype: "float32", shape: [2], data: Float32Array.of(1, -0) },
  "deep/bn2/bias": { dtype: "bfloat16", shape: [3], data: Uint16Array.of(0, 0x8000, 1) },
  "deep/bn2/weight": { dtype: "bfloat16", shape: [3], data: Uint16Array.of(0x3f80, 0x4000, 0xc040) },
  "conv.weight": { dtype: "float16", shape: [2, 1, 1, 1], data: Uint16Array.of(0x3e00, 0xc000) },
  bytes: { dtype: "uint8", shape: [3], data: Uint8Array.of(1, 2, 3) },
  mask: { dtype: "bool", shape: [0, 4], data: new Uint8Array(0) },
};

test("the reference is read as it was written", async () => {
  const { tensors, metadata } = await open(reference);
  expect([...metadata]).toEqual([["format", "pt"]]);
  expect([...tensors.keys()]).toEqual(Object.keys(VALUES));
  for (const [name, tensor] of tensors) {
    const { dtype, shape } = tensor;
    expect({ dtype, shape, data: await tensor.read() }, name).toEqual(VALUES[name]);
  }
});

test("what is read and saved again has the bytes of the format's own library", () => {
  expect(save(VALUES, { metadata: { format: "pt" } })).toEqual(reference);
  const reversed = new Map(Object.entries(VALUES).reverse());
  expect(save(reversed, { metadata: { format: "pt" } })).toEqual(reference);
});

test("a file by hand", () => {
  const header = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ';
  const bytes = [header.length, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode(header), 0, 0, 0x80, 0x3f];
  expect([...save({ a: Float32Array.of(1) })]).toEqual(bytes);
  expect(header.length % 8).toBe(0);
});

test("batch normalizations are found", async () => {
  expect(await findBatchNorms(reference)).toEqual([
    { prefix: "deep/bn2/", channels: 3, dtype: "float64", missing: [] },
    { prefix: "bn1.", channels: 2, dtype: "float32", missing: [] },
  ]);
  const part = save({
    running_var: Float32Array.of(1),
    "a.weight": Float32Array.of(1),
    "b.running_mean": new Float32Array(4),
  });
  expect(await findBatchNorms(part)).toEqual([
    { prefix: "b.", channels: 4, dtype: "float32", missing: ["weight", "bias", "running_var"] },
    { prefix: "", channels: 1, dtype: "float32", missing: ["weight", "bias", "running_mean"] },
  ]);
  expect(await findBatchNorms(save({}))).toEqual([]);
});

test("a layer of the reference", async () => {
  const file = await open(reference);
  const bn1 = await load(file, "bn1.");
  expect(bn1).toBeInstanceOf(BatchNorm);
  expect([bn1.training, bn1.eps, bn1.dtype, bn1.numBatchesTracked]).toEqual([false, 1e-5, "float32", 2 ** 40 + 1]);
  expect(bn1.stateDict()).toEqual({
    weight: Float32Array.of(1, -0),
    bias: Float32Array.of(0.5, Infinity),
    running_mean: Float32Array.of(-1, 2 ** -149),
    running_var: Float32Array.of(4, 0.25),
    num_batches_tracked: 2 ** 40 + 1,
  });
  const bn2 = await load(file, "deep/bn2/", { eps: 1e-3, momentum: null, dtype: "float64" });
  expect([bn2.eps, bn2.momentum, bn2.numBatchesTracked]).toEqual([1e-3, null, 0]);
  expect(bn2.weight).toEqual(Float64Array.of(1, 2, -3));
  expect(bn2.bias).toEqual(Float64Array.of(0, -0, 2 ** -133));
  expect(bn2.runningVar).toEqual(Float64Array.of(1, 2, 5e-324));
  for (const options of [undefined, {}, { dtype: undefined }])
    expect((await load(file, "deep/bn2/", options)).dtype).toBe("float64");
});

const bitsOf = (state: StateDict<DType>): unknown[] =>
  Object.entries(state).map(([name, value]) => [
    name,
    ArrayBuffer.isView(value)
      ? [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)]
      : (value as number),
  ]);

test.each(["float32", "float64", "float16", "bfloat16"] as const)("%s: the same bits come back", async (dtype) => {
  const layer = strange(dtype);
  const loaded = await load(save({ "a.": layer, "b.": new BatchNorm(1) }), "a.", { dtype });
  expect(loaded.dtype).toBe(dtype);
  expect(bitsOf(loaded.stateDict())).toEqual(bitsOf(layer.stateDict()));
  expect(save(loaded)).toEqual(save(layer));
  expect(save(layer.stateDict())).toEqual(save(layer));
});

test("a layer without parameters, or with one, needs the options that it was made with", async () => {
  for (const options of [{ affine: false }, { bias: false }, { weight: false }]) {
    const file = save({ "bn.": new BatchNorm(2, options) });
    await expect(load(file, "bn.")).rejects.toMatchObject({ code: "ERR_BATCHNORM_STATE" });
    expect((await load(file, "bn.", options)).stateDict()).toEqual(new BatchNorm(2, options).stateDict());
  }
});

test("extra entries of a state come back", async () => {
  const layer = new BatchNorm(1, { singleValue: "running" });
  layer.forward(Float32Array.of(1), [1, 1]);
  const loaded = await load(save(layer.stateDict({ extras: true })), "");
  expect(loaded.stateDict({ extras: true })).toEqual(layer.stateDict({ extras: true }));
});

describe("sources", () => {
  const path = join(folderOfTests(), "model.safetensors");
  let server: ReturnType<typeof createServer>;
  let origin = "";
  const ranges: string[] = [];

  /** `/ranges` answers ranges, `/unknown` without the size, `/whole` sends everything, `/once` forgets how, `/other` sends another part. */
  function answer({ url, headers: { range } }: IncomingMessage, response: ServerResponse): void {
    const [, first, last] = /bytes=(\d+)-(\d+)/.exec(range ?? "") ?? [];
    if (range !== undefined) ranges.push(range);
    if (url === "/missing") response.writeHead(404).end();
    else if (url === "/whole" || first === undefined || (url === "/once" && first !== "0")) response.end(reference);
    else {
      const part = reference.subarray(Number(first), Number(last) + 1);
      const from = Number(first) + (url === "/other" && first !== "0" ? 1 : 0);
      const total = url === "/unknown" ? "*" : reference.length;
      response.writeHead(206, { "Content-Range": `bytes ${from}-${from + part.length - 1}/${total}` }).end(part);
    }
  }

  beforeAll(async () => {
    writeFileSync(path, reference);
    server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  const padded = Uint8Array.of(9, 9, 9, ...reference, 9);
  const at = (name: string): CheckpointSource => new URL(`${origin}/${name}`);
  const SOURCES: readonly (readonly [string, () => CheckpointSource | Promise<CheckpointSource>])[] = [
    ["an ArrayBuffer", () => reference.slice().buffer],
    [
      "a SharedArrayBuffer",
      () => {
        const shared = new Uint8Array(new SharedArrayBuffer(reference.length));
        shared.set(reference);
        return shared.buffer;
      },
    ],
    ["a view of a part", () => padded.subarray(3, 3 + reference.length)],
    ["a DataView", () => new DataView(padded.buffer, 3, reference.length)],
    ["a Blob", () => new Blob([reference])],
    ["a File", () => new File([reference], "model.safetensors")],
    ["a Response", () => new Response(reference)],
    ["a URL with ranges", () => at("ranges")],
    ["a URL of unknown size", () => at("unknown")],
    ["a URL without ranges", () => at("whole")],
  ];

  test.each(SOURCES)("%s", async (_, source) => {
    const file = await source();
    expect(await findBatchNorms(file)).toHaveLength(2);
    const again = await load(await source(), "bn1.");
    expect(again.stateDict()).toEqual((await load(reference, "bn1.")).stateDict());
  });

  test("a file of Node, of which only the header and the layer are read", async () => {
    const file = await openFile(path);
    const read = vi.spyOn(file, "read");
    const loaded = await load(file, "bn1.");
    const bytes = read.mock.calls.map((call) => (call as unknown[])[2] as number);
    expect(bytes.reduce((a, b) => a + b)).toBe(8 + Number(reference[0]! + 256 * reference[1]!) + 4 * 8 + 8);
    expect(loaded.weight).toEqual(Float32Array.of(1, -0));
    await file.close();
  });

  test("a URL, of which only these are fetched", async () => {
    ranges.length = 0;
    await load(at("ranges"), "bn1.");
    expect(ranges).toHaveLength(7);
    expect(ranges[0]).toBe("bytes=0-7");
  });

  test.each(["missing", "once", "other"])("a server that fails: %s", async (name) => {
    await expect(load(at(name), "bn1.")).rejects.toMatchObject({ name: "RangeError", code: "ERR_BATCHNORM_FILE" });
  });

  test("a file that gives few bytes at a time, beyond 2^32", async () => {
    const offset = 2 ** 33;
    const header = `{"hole":{"dtype":"U8","shape":[${offset}],"data_offsets":[0,${offset}]},${[
      "weight",
      "bias",
      "running_mean",
      "running_var",
    ]
      .map(
        (name, i) => `"${name}":{"dtype":"F32","shape":[1],"data_offsets":[${offset + 4 * i},${offset + 4 * i + 4}]}`,
      )
      .join(",")}}`;
    const start = 8 + header.length;
    const head = Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(header.length)).buffer), Buffer.from(header)]);
    const values = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
    const file = {
      stat: () => Promise.resolve({ size: start + offset + 16 }),
      read: (buffer: Uint8Array, to: number, length: number, position: number) => {
        const bytesRead = Math.min(length, 3);
        const from = position < start ? head.subarray(position) : values.subarray(position - start - offset);
        buffer.set(from.subarray(0, bytesRead), to);
        return Promise.resolve({ bytesRead });
      },
    };
    expect((await load(file, "")).runningVar).toEqual(Float32Array.of(4));
  });

  test("errors of a source are its own", async () => {
    const file = { stat: () => Promise.resolve({ size: 100 }), read: () => Promise.reject(new Error("EIO")) };
    await expect(open(file)).rejects.toThrow("EIO");
  });

  test("a source that shrinks", async () => {
    const file = { stat: () => Promise.resolve({ size: 100 }), read: () => Promise.resolve({ bytesRead: 0 }) };
    await expect(open(file)).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE" });
  });
});
