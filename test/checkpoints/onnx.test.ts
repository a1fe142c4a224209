// ONNX models: those that torch's exporter wrote, beside torch's outputs, and every way in which a model can say the same.
import { readFileSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { int, message, text } from "../../bench/peers/onnx-model.js";
import { foldIntoConv } from "../../src/fold.js";
import { toBfloat16Bits, toFloat16Bits, type BatchNorm, type DType } from "../../src/index.js";
import { findBatchNorms, load, open, save } from "../../src/onnx.js";
import * as safetensors from "../../src/safetensors.js";
import { backendsUnderTest } from "../support/backends.js";
import { graphProto, modelOf, tensorProto, type ModelGraph, type ModelNode } from "../support/onnx-models.js";

const folder = new URL("exported/", import.meta.url);
const exported = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`${name}.onnx`, folder)));
const values = JSON.parse(readFileSync(new URL("values.jsonl", folder), "utf8")) as Readonly<
  Record<"x" | "conv" | "normalized" | "output", readonly number[]>
>;
const DIMS = [2, 4, 5, 5];

function expectNear(got: ArrayLike<number>, expected: readonly number[], tolerance = 2e-6): void {
  expect(got.length).toBe(expected.length);
  const worst = Math.max(...expected.map((value, i) => Math.abs(got[i]! - value) / Math.max(1, Math.abs(value))));
  expect(worst).toBeLessThan(tolerance);
}

/** A convolution of kernel 3 with padding 1. */
function convolve(x: ArrayLike<number>, weight: ArrayLike<number>, bias: ArrayLike<number>): Float64Array {
  const [samples, ins, outs, size] = [2, 3, 4, 5];
  const y = new Float64Array(samples * outs * size * size);
  for (let i = 0; i < y.length; i++) {
    const [n, o, row, column] = [
      Math.floor(i / 100),
      Math.floor(i / 25) % outs,
      Math.floor(i / size) % size,
      i % size,
    ] as const;
    let sum = bias[o]!;
    for (let c = 0; c < ins; c++)
      for (let k = 0; k < 9; k++) {
        const [r, s] = [row + Math.floor(k / 3) - 1, column + (k % 3) - 1];
        if (r >= 0 && r < size && s >= 0 && s < size)
          sum += x[((n * ins + c) * size + r) * size + s]! * weight[(o * ins + c) * 9 + k]!;
      }
    y[i] = sum;
  }
  return y;
}

describe("models of torch's exporter", () => {
  for (const { name: backend, kernels } of backendsUnderTest)
    test.skipIf(!kernels)(`${backend}: both layers give torch's outputs`, async () => {
      for (const name of ["conv-bn-relu", "opset-9"]) {
        const model = await open(exported(name));
        const options = { backend: backend as never };
        const [bn1, bn2] = [await load(model, "bn1.", options), await load(model, "bn2.", options)];
        const normalized = bn1.forward(Float32Array.from(values.conv), DIMS);
        expectNear(normalized, values.normalized);
        const { data } = bn2.forward({ data: normalized.map((value) => Math.max(0, value)), dims: DIMS });
        expectNear(data, values.output);
      }
    });

  test("folded here, the convolution gives torch's output, and the weights that torch folds", async () => {
    const { tensors } = await open(exported("conv-bn-relu"));
    const [weight, bias] = await Promise.all(
      ["conv1.weight", "conv1.bias"].map(async (name) => (await tensors.get(name)!.read()) as Float32Array),
    );
    const conv = { weight: { data: weight!, shape: [4, 3, 3, 3] }, bias: bias! };
    const folded = foldIntoConv(conv, await load(exported("conv-bn-relu"), "bn1."));
    expectNear(convolve(values.x, folded.weight.data, folded.bias), values.normalized, 4e-6);
    const own = (await open(exported("folded"))).tensors;
    expectNear(folded.weight.data, [...((await own.get("onnx::Conv_18")!.read()) as Float32Array)], 1e-6);
    expectNear(folded.bias, [...((await own.get("onnx::Conv_19")!.read()) as Float32Array)], 1e-6);
  });

  test("what is found: also parameters that an Identity passes on, and what is in training", async () => {
    const found = await findBatchNorms(exported("conv-bn-relu"));
    expect(found).toMatchObject([
      { prefix: "bn1.", channels: 4, dtype: "float32", missing: [], epsilon: 1e-3, momentum: 0.7, training: false },
      { prefix: "bn2.", node: "/bn2/BatchNormalization", epsilon: 1e-5, momentum: 0.9, perActivation: false },
    ]);
    expect(found[1]!.inputs.input_var!.name).toBe("bn2.weight");
    expect((await findBatchNorms(exported("training"))).map(({ training }) => training)).toEqual([true, true]);
    expect((await findBatchNorms(exported("folded"))).map(({ prefix }) => prefix)).toEqual(["bn2."]);
    const bn = await load(exported("training"), "bn1.", { threads: 1 });
    expect(bn).toMatchObject({ training: false, eps: 1e-3, momentum: 0.7 });
    expect(bn.convert("torch").momentum).toBeCloseTo(0.3, 12);
  });

  test("from a file and from a Blob, and a skipped initializer is not read", async () => {
    const big = modelOf({
      ...normGraph(),
      initializers: [tensorProto("big", new Float32Array(300_000)), ...parameters()],
    });
    const reads: number[] = [];
    const source = {
      stat: () => Promise.resolve({ size: big.length }),
      read: (buffer: Uint8Array, offset: number, length: number, position: number) => {
        reads.push(length);
        buffer.set(big.subarray(position, position + length), offset);
        return Promise.resolve({ bytesRead: length });
      },
    };
    expect((await load(source, "bn.")).weight).toEqual(Float32Array.of(1, 2, 3));
    expect(reads.reduce((a, b) => a + b, 0)).toBeLessThan(70_000);
    const file = await openFile(fileURLToPath(new URL("training.onnx", folder)));
    const fromFile = await load(file, "bn1.");
    await file.close();
    const fromBlob = await load(new Blob([exported("training") as BlobPart]), "bn1.");
    expect(fromBlob.stateDict()).toEqual(fromFile.stateDict());
  });
});

describe("where a model is", () => {
  const file = exported("training");
  let fetched = 0;
  const answer = ({ url, headers: { range } }: IncomingMessage, response: ServerResponse): void => {
    const [, first, last] = /bytes=(\d+)-(\d+)/.exec(range ?? "") ?? [];
    const part = first === undefined || url === "/whole" ? file : file.subarray(Number(first), Number(last) + 1);
    fetched += part.length;
    if (part === file) response.end(part);
    else {
      const total = url === "/unknown" ? "*" : file.length;
      response
        .writeHead(206, { "Content-Range": `bytes ${first}-${Number(first) + part.length - 1}/${total}` })
        .end(part);
    }
  };

  test.each(["ranges", "whole", "unknown"])("a server: /%s", async (name) => {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const bn = await load(new URL(`http://127.0.0.1:${port}/${name}`), "bn1.");
    server.close();
    expect(bn.stateDict()).toEqual((await load(file, "bn1.")).stateDict());
    expect(fetched).toBeGreaterThan(0);
  });

  test("a model beyond 2^32 bytes, most of which is skipped", async () => {
    const hole = 2 ** 33;
    const parts = (length: number): number[] => int(1, length).slice(1);
    const raw = [0x4a, ...parts(hole)];
    const big = [...text(8, "big"), ...raw];
    const tensor = [0x2a, ...parts(big.length + hole), ...big];
    const rest = graphProto(normGraph());
    const head = [0x3a, ...parts(tensor.length + hole + rest.length), ...tensor];
    const tail = Uint8Array.from([...rest, ...message(8, int(2, 15))]);
    const source = {
      stat: () => Promise.resolve({ size: head.length + hole + tail.length }),
      read: (buffer: Uint8Array, offset: number, length: number, position: number) => {
        for (let i = 0; i < length; i++) {
          const at = position + i;
          buffer[offset + i] = at < head.length ? head[at]! : (tail[at - head.length - hole] ?? 0);
        }
        return Promise.resolve({ bytesRead: length });
      },
    };
    expectTables(await load(source, "bn."));
    expect((await open(source)).tensors.has("big")).toBe(false);
  });
});

const TABLES = { weight: [1, 2, 3], bias: [-1, 0, 0.5], running_mean: [0.25, -2, 8], running_var: [1, 4, 0.5] };
const names = (prefix = "bn."): string[] => ["x", ...Object.keys(TABLES).map((name) => prefix + name)];
const parameters = (prefix = "bn."): number[][] =>
  Object.entries(TABLES).map(([name, list]) => tensorProto(prefix + name, Float32Array.from(list)));

const norm = (more: Partial<ModelNode> = {}): ModelNode => ({
  ...{ op: "BatchNormalization", name: "Norm_0", inputs: names(), outputs: ["y"] },
  ...more,
});
const normGraph = (more: Partial<ModelNode> = {}): ModelGraph => ({ nodes: [norm(more)], initializers: parameters() });

function expectTables(bn: BatchNorm<DType>): void {
  const state = new Map<string, unknown>(Object.entries(bn.stateDict()));
  for (const [name, list] of Object.entries(TABLES)) expect([...(state.get(name) as Float32Array)]).toEqual(list);
}

describe("ways to store", () => {
  test.each([
    ["raw float32", "float32", "raw", (list: number[]) => Float32Array.from(list)],
    ["float_data", "float32", "float", (list: number[]) => Float32Array.from(list)],
    ["raw float64", "float64", "raw", (list: number[]) => Float64Array.from(list)],
    ["double_data", "float64", "double", (list: number[]) => Float64Array.from(list)],
    ["raw float16", "float16", "raw", (list: number[]) => toFloat16Bits(Float32Array.from(list))],
    ["float16 in int32_data", "float16", "int32", (list: number[]) => toFloat16Bits(Float32Array.from(list))],
    ["raw bfloat16", "bfloat16", "raw", (list: number[]) => toBfloat16Bits(Float32Array.from(list))],
    ["bfloat16 in int32_data", "bfloat16", "int32", (list: number[]) => toBfloat16Bits(Float32Array.from(list))],
  ] as const)("%s", async (_, type, storing, make) => {
    const tensors = Object.entries(TABLES).map(
      ([name, list]) => [name, tensorProto(`bn.${name}`, make(list), { type, storing })] as const,
    );
    const initializers = tensors.map(([, tensor]) => tensor);
    const bn = await load(modelOf({ nodes: [norm()], initializers }), "bn.");
    expect(bn.dtype).toBe(type === "float64" ? "float64" : "float32");
    expectTables(bn);
    const constants = tensors.map(([name, value]): ModelNode => ({
      op: "Constant",
      inputs: [],
      outputs: [`bn.${name}`],
      value,
    }));
    expectTables(await load(modelOf({ nodes: [...constants, norm()] }), "bn."));
  });

  test("a node in a graph inside another, with the parameters around it", async () => {
    const inner = graphProto({ nodes: [norm()], initializers: parameters().slice(0, 1) });
    const outer: ModelGraph = {
      nodes: [{ op: "If", inputs: ["c"], outputs: ["z"], graph: inner }],
      initializers: parameters().slice(1),
    };
    expectTables(await load(modelOf(outer), "bn."));
  });

  test("nodes of others, and nodes whose inputs are not known", async () => {
    const foreign = norm({ domain: "com.example" });
    const computed = norm({ inputs: ["x", "a", "b", "bn.running_mean", "bn.running_var"], outputs: ["z"] });
    const file = modelOf({ nodes: [foreign, computed], initializers: parameters() });
    expect(await findBatchNorms(file)).toMatchObject([{ prefix: "bn.", missing: ["weight", "bias"], channels: 3 }]);
    const message = 'the node "Norm_0" gets scale, B from the graph: only initializers and constants can be loaded';
    await expect(load(file, "bn.")).rejects.toMatchObject({ code: "ERR_BATCHNORM_STATE", message });
    const none = norm({ inputs: ["x"] });
    expect(await findBatchNorms(modelOf({ nodes: [none] }))).toMatchObject([{ channels: 0, prefix: "Norm_0." }]);
  });

  test("prefixes: torch's, else the node's, else the output's, else the number", async () => {
    const other = (name: string, output: string): ModelNode =>
      norm({ name, outputs: [output], inputs: ["x", "s", "b", "m", "v"] });
    const model = modelOf({
      nodes: [norm(), norm({ name: "again", outputs: ["y2"] }), other("n", "o"), other("n", "p"), other("n", "p")],
    });
    const found = await findBatchNorms(model);
    expect(found.map(({ prefix }) => prefix)).toEqual(["bn.", "again.", "n.", "p.", "BatchNormalization_4."]);
    await expect(load(model, "bn2.")).rejects.toMatchObject({ code: "ERR_BATCHNORM_STATE" });
    const plain = modelOf({ nodes: [norm({ inputs: names("") })], initializers: parameters("") });
    expectTables(await load(plain, ""));
  });
});

describe("attributes", () => {
  test("spatial 0 is a layout of statistics for each position", async () => {
    const tensor = (name: string, list: number[]): number[] =>
      tensorProto(name, Float32Array.from(list), { dims: [1, 3] });
    const initializers = Object.entries(TABLES).map(([name, list]) => tensor(`bn.${name}`, list));
    const graph = { nodes: [norm({ attributes: { spatial: 0 } })], initializers };
    const bn = await load(modelOf(graph, 7), "bn.");
    const y = bn.forward(Float32Array.of(0.25, -2, 8, 1.25, -2, 8), [2, 1, 3]);
    expectNear(y, [-1, 0, 0.5, 0, 0, 0.5], 1e-5);
    // Since opset 9 there is no such attribute.
    expect(await findBatchNorms(modelOf(graph, 9))).toMatchObject([{ perActivation: false }]);
    await expect(load(modelOf(graph, 9), "bn.")).rejects.toMatchObject({ code: "ERR_BATCHNORM_SHAPE" });
  });

  test.each([
    [1, {}, ["y"], true],
    [6, { is_test: 1 }, ["y"], false],
    [7, {}, ["y"], false],
    [9, {}, ["y", "", ""], false],
    [13, {}, ["y", "m", "v", "sm", "sv"], true],
    [14, { training_mode: 0 }, ["y"], false],
    [21, { training_mode: 1 }, ["y"], true],
  ] as const)("opset %i, %o, %o trains: %s", async (opset, attributes, outputs, training) => {
    const file = modelOf(normGraph({ attributes, outputs }), opset);
    expect(await findBatchNorms(file)).toMatchObject([{ training }]);
    expect((await open(file)).opset).toBe(opset);
    expectTables(await load(file, "bn."));
  });

  test("options go before attributes", async () => {
    const file = modelOf(normGraph({ attributes: { "f:epsilon": 0.1, "f:momentum": 0.25 } }));
    expect(await load(file, "bn.")).toMatchObject({ eps: 0.1, momentum: 0.25 });
    expect(await load(file, "bn.", { convention: "torch" })).toMatchObject({ eps: 0.1, momentum: 0.75 });
    expect(await load(file, "bn.", { eps: undefined, decay: undefined })).toMatchObject({ eps: 0.1, momentum: 0.25 });
    expect(await load(file, "bn.", { eps: 2, momentum: 1 })).toMatchObject({ eps: 2, momentum: 1 });
    await expect(load(file, "bn.", 5 as never)).rejects.toMatchObject({ code: "ERR_BATCHNORM_TYPE" });
  });
});

describe("save", () => {
  test("the model with the layers' values, and nothing else changed", async () => {
    const file = exported("training");
    const bn1 = await load(file, "bn1.");
    bn1.train().forward(Float32Array.from(values.conv), DIMS);
    bn1.weight!.fill(-0.5);
    const saved = await save(file, { "bn1.": bn1 });
    expect(saved.length).toBe(file.length);
    expect((await load(saved, "bn1.")).eval().forward(Float32Array.from(values.conv), DIMS)).toEqual(
      bn1.eval().forward(Float32Array.from(values.conv), DIMS),
    );
    expect((await load(saved, "bn2.")).stateDict()).toEqual((await load(file, "bn2.")).stateDict());
    const again = await save(saved, new Map([["bn1.", (await load(file, "bn1.")).stateDict()]]));
    expect(again).toEqual(file);
  });

  test("values are rounded to the model's type", async () => {
    const initializers = Object.entries(TABLES).map(([name, list]) =>
      tensorProto(`bn.${name}`, toFloat16Bits(Float32Array.from(list)), { type: "float16" }),
    );
    const file = modelOf({ nodes: [norm()], initializers });
    const bn = await load(file, "bn.");
    bn.bias!.fill(1 + 2 ** -12);
    expect((await load(await save(file, { "bn.": bn }), "bn.")).bias).toEqual(Float32Array.of(1, 1, 1));
    bn.bias![1] = 1e6;
    const message = '"bn.bias[1]" expected a number that float16 can hold, got 1000000';
    await expect(save(file, { "bn.": bn })).rejects.toMatchObject({ code: "ERR_BATCHNORM_VALUE", message });
  });

  test.each([["a layer alone", normGraph({ inputs: names("") }), async (file: Uint8Array) => load(file, "")]] as const)(
    "%s",
    async (_, graph, make) => {
      const file = modelOf({ ...graph, initializers: parameters("") });
      expect(await save(file, await make(file))).toEqual(file);
    },
  );

  test("what cannot be saved", async () => {
    const file = modelOf(normGraph());
    const bn = await load(file, "bn.");
    const state = bn.stateDict();
    const rejects = async (states: unknown, code: string, message: string, model = file): Promise<void> =>
      expect(save(model, states as object)).rejects.toMatchObject({ code, message });
    await rejects(5, "ERR_BATCHNORM_TYPE", '"states" expected an object of layers, got 5');
    await rejects({ "no.": bn }, "ERR_BATCHNORM_STATE", '"no.weight" belongs to no batch normalization of the model');
    const other = await load(file, "bn.", { eps: 0.5 });
    await rejects({ "bn.": other }, "ERR_BATCHNORM_STATE", '"bn." expected eps 0.00001 as in the model, got 0.5');
    await rejects(
      { "bn.": { weight: state.weight } },
      "ERR_BATCHNORM_STATE",
      'the model needs all of scale, B, mean and variance: "bn.bias" is missing',
    );
    await rejects(
      { "bn.": { ...state, bias: new Float32Array(4) } },
      "ERR_BATCHNORM_SHAPE",
      '"bn.bias" expected length 3, got 4',
    );
    const shared = exported("conv-bn-relu");
    const bn2 = await load(shared, "bn2.");
    expect(await save(shared, { "bn2.": bn2 })).toEqual(shared);
    bn2.runningVar![0] = 2;
    await rejects(
      { "bn2.": bn2 },
      "ERR_BATCHNORM_STATE",
      '"bn2.weight" and "bn2.running_var" share one tensor of the model, and so expected the same values',
      shared,
    );
    const bits = toFloat16Bits(Float32Array.of(1, 2, 3));
    const inInts = [...parameters().slice(1), tensorProto("bn.weight", bits, { type: "float16", storing: "int32" })];
    await rejects(
      { "bn.": bn },
      "ERR_BATCHNORM_FILE",
      '"bn.weight" of the node "Norm_0" expected its elements in raw_data, or in the field of its type',
      modelOf({ nodes: [norm()], initializers: inInts }),
    );
  });
});

test("a file of another format that was opened", async () => {
  const bn = await load(modelOf(normGraph()), "bn.");
  const opened = await safetensors.open(safetensors.save({ "bn.": bn }));
  await expect(load(opened as never, "bn.")).rejects.toMatchObject({ code: "ERR_BATCHNORM_TYPE" });
});
