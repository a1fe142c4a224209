// ONNX models whose elements are in files beside them: every kind of file, what is read of it, and every location, range and
// checksum that is refused.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { message, text } from "../../bench/peers/onnx-model.js";
import { sha1Of } from "../../src/checkpoints/sha1.js";
import { toFloat16Bits } from "../../src/index.js";
import { findBatchNorms, load, open, save, type ExternalFiles, type FileSource } from "../../src/onnx.js";
import { externalProto, modelOf, tensorProto, type ModelNode } from "../support/onnx-models.js";

const TABLES = { weight: [1, 2, 3], bias: [-1, 0, 0.5], running_mean: [0.25, -2, 8], running_var: [1, 4, 0.5] };
const NAMES = Object.keys(TABLES);
const STATE = Object.fromEntries(Object.entries(TABLES).map(([name, list]) => [name, Float32Array.from(list)]));
/** The tables, 16 bytes apart. */
const FILE = new Uint8Array(64);
Object.values(STATE).forEach((table, i) => FILE.set(new Uint8Array(table.buffer), 16 * i));

type Entries = Readonly<Record<string, string | number>>;
const norm: ModelNode = { op: "BatchNormalization", name: "n", inputs: ["x", ...NAMES], outputs: ["y"] };
const place = (i: number): Entries => ({ location: "data.bin", offset: 16 * i, length: 12 });

/** A model whose tables are in a file. What is given goes before the place of the first one. */
function modelWith(first: Entries = {}, of: (i: number) => Entries = place): Uint8Array {
  const initializers = NAMES.map((name, i) => externalProto(name, [3], { ...of(i), ...(i === 0 && first) }));
  return modelOf({ nodes: [norm], initializers });
}
const model = modelWith();

interface Counted extends FileSource {
  readonly reads: [position: number, length: number][];
}

function counted(size: number, at: (i: number) => number): Counted {
  const reads: [number, number][] = [];
  return {
    reads,
    stat: () => Promise.resolve({ size }),
    read: (buffer, offset, length, position) => {
      reads.push([position, length]);
      for (let i = 0; i < length; i++) buffer[offset + i] = at(position + i);
      return Promise.resolve({ bytesRead: length });
    },
  };
}

async function expectTables(external: ExternalFiles, file = model): Promise<void> {
  expect((await load(file, "", { external })).stateDict()).toEqual({ ...STATE, num_batches_tracked: 0 });
}

async function expectRefused(
  file: Uint8Array,
  message: string,
  external: ExternalFiles = { "data.bin": FILE },
): Promise<void> {
  const expected = { name: "RangeError", code: "ERR_BATCHNORM_FILE", message };
  await expect(load(file, "", { external })).rejects.toMatchObject(expected);
}

describe("the files", () => {
  test.each([
    ["bytes", () => FILE],
    ["an ArrayBuffer", () => FILE.buffer],
    ["a Blob", () => new Blob([FILE])],
    ["a Response", () => new Response(FILE)],
    ["a file of Node, by what is used of it", () => counted(FILE.length, (i) => FILE[i]!)],
  ] as const)("%s", async (_, make) => {
    await expectTables({ "data.bin": make() });
    await expectTables(new Map([["data.bin", make()]]));
    await expectTables(() => make());
    await expectTables(() => Promise.resolve(make()));
    const opened = await open(model, { external: { "data.bin": make() } });
    expect(await opened.tensors.get("bias")!.read()).toEqual(STATE["bias"]);
    expect((await load(opened, "")).weight).toEqual(STATE["weight"]);
  });

  test("a server that knows ranges, one that does not, and one that does not say the size", async () => {
    const server = createServer(({ url, headers: { range } }, response) => {
      const [, first, last] = /bytes=(\d+)-(\d+)/.exec(range ?? "") ?? [];
      if (first === undefined || url!.startsWith("/whole/")) return void response.end(FILE);
      const part = FILE.subarray(Number(first), Number(last) + 1);
      const total = url!.startsWith("/unknown/") ? "*" : FILE.length;
      const range206 = `bytes ${first}-${Number(first) + part.length - 1}/${total}`;
      response.writeHead(206, { "Content-Range": range206 }).end(part);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      for (const name of ["ranges", "whole", "unknown"]) {
        const folder = new URL(`http://127.0.0.1:${port}/${name}/`);
        await expectTables((location) => new URL(location, folder));
        await expect(
          load(modelWith({ offset: 60 }), "", { external: (location) => new URL(location, folder) }),
        ).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE" });
      }
    } finally {
      server.close();
    }
  });

  test("several files, in folders, and some tables in the model itself", async () => {
    const file = modelOf({
      nodes: [norm],
      initializers: [
        externalProto("weight", [3], { location: "a/first" }),
        externalProto("bias", [3], { location: "./a//second", offset: 16 }),
        tensorProto("running_mean", STATE["running_mean"]!),
        externalProto("running_var", [3], { location: "third", offset: "48", length: "12" }),
      ],
    });
    const asked: string[] = [];
    await expectTables((location) => {
      asked.push(location);
      return FILE;
    }, file);
    expect(asked.sort()).toEqual(["a/first", "a/second", "third"]);
    // By the location as it is written, and without its empty steps.
    await expectTables({ "a/first": FILE, "./a//second": FILE, third: FILE }, file);
    await expectTables({ "a/first": FILE, "a/second": FILE, third: FILE }, file);
    const constants = NAMES.map((name, i): ModelNode => ({
      ...{ op: "Constant", inputs: [], outputs: [name] },
      value: externalProto("", [3], place(i)),
    }));
    await expectTables({ "data.bin": FILE }, modelOf({ nodes: [...constants, norm] }));
  });

  test("16-bit elements, and no elements", async () => {
    const half = toFloat16Bits(STATE["weight"]!);
    const file = modelOf({
      nodes: [],
      initializers: [
        externalProto("w", [3], { location: "h" }, "float16"),
        externalProto("none", [0, 5], { location: "h", offset: 6 }),
      ],
    });
    const { tensors } = await open(file, { external: { h: new Uint8Array(half.buffer) } });
    expect(await tensors.get("w")!.read()).toEqual(half);
    expect(await tensors.get("none")!.read()).toEqual(new Float32Array(0));
  });

  test("only what is asked for is read, and a file is asked for once, when it is needed", async () => {
    const file = modelOf({
      nodes: [norm],
      initializers: [
        externalProto("big", [2 ** 28], { location: "data.bin", offset: 64 }),
        externalProto("other", [3], { location: "other.bin" }),
        ...NAMES.map((name, i) => externalProto(name, [3], place(i))),
      ],
    });
    const source = counted(64 + 2 ** 30, (i) => FILE[i] ?? 0);
    const asked: string[] = [];
    const external = (location: string): FileSource => (asked.push(location), source);
    const opened = await open(file, { external });
    expect(await findBatchNorms(opened)).toMatchObject([{ prefix: "", channels: 3, missing: [] }]);
    expect(asked).toEqual([]);
    await load(opened, "");
    await load(opened, "");
    expect(asked).toEqual(["data.bin"]);
    expect(source.reads.sort(([a], [b]) => a - b).map(([, length]) => length)).toEqual(Array<number>(8).fill(12));
  });

  test("places beyond 2^32", async () => {
    const hole = 2 ** 33 + 4096;
    const source = counted(hole + 64, (i) => FILE[i - hole]!);
    await expectTables(
      { "data.bin": source },
      modelWith({}, (i) => ({ ...place(i), offset: hole + 16 * i })),
    );
  });

  test("a model that Python's onnx wrote, and its checker passed", async () => {
    const folder = new URL("exported/", import.meta.url);
    const inside = readFileSync(new URL("network.onnx", folder));
    const outside = await openFile(fileURLToPath(new URL("network-external.onnx", folder)));
    const external = (location: string): Buffer => readFileSync(new URL(location, folder));
    for (const prefix of ["bn1.", "bn2.", "bn3."]) {
      const [bn, expected] = [await load(outside, prefix, { external, checksum: true }), await load(inside, prefix)];
      expect(bn.stateDict()).toEqual(expected.stateDict());
      expect([bn.eps, bn.momentum]).toEqual([expected.eps, expected.momentum]);
    }
    await outside.close();
  });
});

describe("what is refused", () => {
  const LOCATIONS = [
    ...["../data.bin", "a/../../data.bin", "a/../data.bin", "..", "a/..", "...", ".. /data.bin", "a/. ./data.bin"],
    ...["/data.bin", "//host/data.bin", "/", "", ".", "./", " ", "data.bin ", " /data.bin", "\t/data.bin"],
    ...["C:\\data.bin", "c:data.bin", "C|/data.bin", "..\\data.bin", "a\\data.bin", "\\\\host\\data.bin"],
    ...["http://host/data.bin", "file:///data.bin", "data:,1", "x-y+1.2:data.bin"],
    ...["%2e%2e/data.bin", ".%2E/data.bin", "..%2fdata.bin", "a%5C..%5cdata.bin", ".\t./data.bin", ".\n./data.bin"],
    ...["data\u0000.bin", "data.bin\u007f", "a:b", "..?", "..#a", "a/..?b", "data#1.bin"],
  ];
  test.each(LOCATIONS)("the location %j, and nobody is asked for it", async (location) => {
    const asked: string[] = [];
    const external = (given: string): Uint8Array => (asked.push(given), FILE);
    const expected = `"weight" in the model expected external data inside the model's folder, at a relative path with slashes, got ${JSON.stringify(location)}`;
    await expectRefused(
      modelWith({ location }, () => ({ location })),
      expected,
      external,
    );
    expect(asked).toEqual([]);
  });

  test.each(["data.bin", "model.onnx.data", "a/b.c/d", "..a/b..", ".hidden", "한국어", "a b", "a%20b", "__proto__"])(
    "but not the location %j",
    async (location) => {
      const file = modelWith({}, (i) => ({ ...place(i), location }));
      await expectTables(new Map([[location, FILE]]), file);
      await expectTables(() => FILE, file);
    },
  );

  const BYTES = '"weight" in the model expected 12 bytes';
  test.each([
    [{ offset: 53 }, `${BYTES} from 53 on in "data.bin", which has 64`],
    [{ offset: 64 }, `${BYTES} from 64 on in "data.bin", which has 64`],
    [{ offset: Number.MAX_SAFE_INTEGER }, `${BYTES} from 9007199254740991 on in "data.bin", which has 64`],
    [{ length: 11 }, `${BYTES} of external data for its shape, got a length of 11`],
    [{ length: 13 }, `${BYTES} of external data for its shape, got a length of 13`],
    [{ length: 0 }, `${BYTES} of external data for its shape, got a length of 0`],
    ...(["-1", "", " 4", "4 ", "1e3", "0x10", "1.5", "NaN", "9007199254740992", "1".repeat(400)] as const).flatMap(
      (text) => {
        const got = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
        return (["offset", "length"] as const).map((key): [Entries, string] => [
          { [key]: text },
          `"weight" in the model expected ${key === "offset" ? "an offset" : "a length"} of its external data in bytes, got ${got}`,
        ]);
      },
    ),
  ] as [Entries, string][])("the place %j", (entries, message) => expectRefused(modelWith(entries), message));

  test("a shape of 2^50 elements, and no memory is taken for it", async () => {
    const claims = (entries: Entries): Uint8Array =>
      modelOf({ nodes: [], initializers: [externalProto("w", [2 ** 50], { location: "data.bin", ...entries })] });
    const read = async (file: Uint8Array): Promise<unknown> =>
      (await open(file, { external: { "data.bin": FILE } })).tensors.get("w")!.read();
    const message = `"w" in the model expected ${2 ** 52} bytes from 0 on in "data.bin", which has 64`;
    await expect(read(claims({}))).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE", message });
    await expect(read(claims({ length: 2 ** 52 }))).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE", message });
  });

  test("a file that is missing", async () => {
    const hint = 'pass the option "external" with it, or save the model with its data inside';
    const message = `"weight" in the model expected the file "data.bin", which has its elements: ${hint}`;
    for (const external of [{}, { "data.bin": undefined }, new Map(), () => undefined, () => Promise.resolve(null)])
      await expectRefused(model, message, external as never);
    await expect(load(model, "")).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE", message });
    await expectRefused(modelWith({ location: "constructor" }), message.replace("data.bin", "constructor"));
    const server = new Response("no", { status: 404 });
    await expectRefused(model, "the server expected to send the file, got status 404", { "data.bin": server });
  });

  test("entries that say nothing, or two things", async () => {
    const none = modelOf({ nodes: [norm], initializers: NAMES.map((name) => externalProto(name, [3], { offset: 0 })) });
    await expectRefused(none, '"weight" in the model expected a location of its external data');
    const tables = NAMES.map((name, i) => externalProto(name, [3], place(i)));
    const withMore = (more: readonly number[]): Uint8Array =>
      modelOf({ nodes: [norm], initializers: [[...tables[0]!, ...more], ...tables.slice(1)] });
    const both = '"weight" in the model expected its elements in the model or in another file, got both';
    await expectRefused(withMore(message(9, [...FILE.subarray(0, 12)])), both);
    const twice = '"weight" in the model expected one location of its external data, got another';
    await expectRefused(withMore(message(13, text(1, "location"), text(2, "other"))), twice);
    await expectTables({ "data.bin": FILE }, modelWith({ basepath: "../..", other: "1" }));
  });

  test.each([
    [{ external: 5 }, '"external" expected an object or a Map of files by their locations, or a function, got 5'],
    [{ external: null }, '"external" expected an object or a Map of files by their locations, or a function, got null'],
    [{ external: FILE }, /^"external" expected an object or a Map of files by their locations, or a function, got /],
    [{ external: { "data.bin": "data.bin" } }, /^external\["data.bin"\] expected bytes, a Blob, a file of fs/],
    [{ external: () => "data.bin" }, /^external\["data.bin"\] expected bytes, a Blob, a file of fs/],
    [{ checksum: 1 }, /^"checksum" expected /],
  ])("the options %j", async (options, message) => {
    const expected = message instanceof RegExp ? (expect.stringMatching(message) as string) : message;
    await expect(load(model, "", options as never)).rejects.toMatchObject({
      ...{ name: "TypeError", code: "ERR_BATCHNORM_TYPE", message: expected },
    });
  });

  test("options that are unknown, or too late", async () => {
    await expect(open(model, { externals: {} } as never)).rejects.toMatchObject({ code: "ERR_BATCHNORM_OPTION" });
    const opened = await open(model, { external: { "data.bin": FILE } });
    const message = '"external" expected a model that load opens, got an open one: pass it to open';
    await expect(load(opened, "", { external: { "data.bin": FILE } })).rejects.toMatchObject({
      ...{ name: "RangeError", code: "ERR_BATCHNORM_OPTION", message },
    });
    expect((await load(opened, "", { external: undefined, eps: 0.5 })).eps).toBe(0.5);
  });

  test("an error of the caller's function is passed on, and the next call asks again", async () => {
    let times = 0;
    const error = new Error("offline");
    const external = (): Uint8Array => {
      if (times++ === 0) throw error;
      return FILE;
    };
    const opened = await open(model, { external });
    await expect(load(opened, "")).rejects.toBe(error);
    expect((await load(opened, "")).weight).toEqual(STATE["weight"]);
    expect(times).toBe(2);
  });

  test("saving: what is in another file cannot be replaced", async () => {
    const bn = await load(model, "", { external: { "data.bin": FILE } });
    const text = '"weight" of the node "n" expected its elements in raw_data, or in the field of its type';
    const message = `${text}, got external data: save the model with its data inside`;
    await expect(save(model, { "": bn })).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE", message });
    const mixed = modelOf({
      nodes: [norm],
      initializers: [
        externalProto("conv", [3], place(0)),
        ...Object.entries(STATE).map(([name, table]) => tensorProto(name, table)),
      ],
    });
    expect(await save(mixed, { "": await load(mixed, "") })).toEqual(mixed);
  });
});

describe("checksums", () => {
  const sha1 = (bytes: Uint8Array): string => createHash("sha1").update(bytes).digest("hex");

  test.each([0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 65])(
    "SHA-1 of %i bytes, as Node's",
    async (size) => {
      const bytes = Uint8Array.from({ length: size }, (_, i) => (i * i * 31 + (i >> 7)) & 255);
      const parts: number[] = [];
      const read = (begin: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
        parts.push(length);
        return Promise.resolve(bytes.slice(begin, begin + length));
      };
      expect(await sha1Of({ size, read }, size)).toBe(sha1(bytes));
      expect(Math.max(...parts)).toBeLessThanOrEqual(2 ** 20);
    },
  );

  test("are compared where they are asked for, once for each file", async () => {
    const right = modelWith({}, (i) => ({ ...place(i), checksum: sha1(FILE).toUpperCase() }));
    const source = counted(FILE.length, (i) => FILE[i]!);
    expect((await load(right, "", { external: { "data.bin": source }, checksum: true })).bias).toEqual(STATE["bias"]);
    // The file as whole blocks, nothing behind them, and the four tables.
    expect(source.reads.map(([, length]) => length)).toEqual([64, 12, 12, 12, 12]);

    const other = sha1(Uint8Array.of(1));
    const wrong = modelWith({ checksum: other });
    const message = `"weight" in the model expected "data.bin" to have the SHA-1 "${other}", got ${sha1(FILE)}: it is another file`;
    const external = { "data.bin": FILE };
    await expect(load(wrong, "", { external, checksum: true })).rejects.toMatchObject({
      ...{ code: "ERR_BATCHNORM_FILE", message },
    });
    await expectTables(external, wrong);
    expect((await load(model, "", { external, checksum: true })).weight).toEqual(STATE["weight"]);
  });
});
