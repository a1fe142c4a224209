// In the memory of TensorFlow.js's WebAssembly backend, kernels work in place.
import { beforeAll, expect, test, vi } from "vitest";
import { createArena } from "../../src/index.js";
import { bindTfjs, type TfjsOperations } from "../../src/tfjs.js";
import { backendsUnderTest } from "../support/backends.js";
import { valuesCopied } from "../support/copies.js";
import { error, expectSame, tensorOf } from "./data.js";
import { loadTensorflow, type Tensor, type Tf } from "./tensorflow.js";

vi.mock("../../src/base/arrays.js", async (original) => {
  const { counted } = await import("../support/copies.js");
  return counted(await original());
});

let tf: Tf;
let batchNorm: TfjsOperations<Tf>["batchNorm"];
let memory: WebAssembly.Memory;

beforeAll(async () => {
  tf = await loadTensorflow();
  ({ batchNorm } = bindTfjs(tf));
  await tf.setBackend("wasm");
  ({ memory } = (tf.backend() as { wasm: { asm: { memory: WebAssembly.Memory } } }).wasm.asm);
});

const names = backendsUnderTest.filter(({ name, kernels }) => kernels && name !== "oracle").map(({ name }) => name);

test.each(names)("%s copies no tensor, forward and backward", (backend) => {
  // Tables of 16 channels are too short to be counted.
  const [x, dy] = [tensorOf(tf, [50, 7, 16], 1), tensorOf(tf, [50, 7, 16], 2)];
  const by = (backend: string) => (x: Tensor) => batchNorm(x, { training: true, backend: backend as never });
  const [one, other] = [by(backend), by("oracle")];
  const results: Tensor[] = [];
  one(x); // the first call checks the backend
  // The control block is what is copied for WebAssembly; x has ten times as many values.
  expect(valuesCopied(() => results.push(one(x), tf.grad(one)(x, dy)))).toBeLessThan(560);
  expect(results[0]!.dataSync()).toEqual(other(x).dataSync());
  expect(results[1]!.dataSync()).toEqual(tf.grad(other)(x, dy).dataSync());
});

test("TensorFlow.js's other bytes stay, and its operations go on", () => {
  const x = tensorOf(tf, [50, 7, 32], 1);
  const run = (): Tensor => batchNorm(x, { training: true, backend: "wasm" });
  run();
  // The part for control blocks was lent: an arena is in the memory.
  expect(() => createArena(memory, { begin: 2 ** 20, end: 2 ** 22 })).toThrow(error("ERR_BATCHNORM_STATE", "already"));
  const before = new Uint8Array(memory.buffer.slice(0));
  const output = run().dataSync().byteLength;
  const changed = new Uint8Array(memory.buffer).reduce((sum, byte, i) => sum + Number(byte !== before[i]), 0);
  // The output, a control block and the notes of malloc.
  expect(changed).toBeLessThan(output + 2 ** 16);
  expectSame([tf.square(x)], [tf.mul(x, x)], 1e-9);
});

test("more channels than the control block has room for are copied, with the same bits", () => {
  const x = tensorOf(tf, [4, 20_000], 1);
  const by = (backend: "wasm" | "oracle"): Tensor => batchNorm(x, { training: true, backend });
  let y: Tensor | undefined;
  expect(valuesCopied(() => (y = by("wasm")))).toBeGreaterThan(80_000);
  expect(y!.dataSync()).toEqual(by("oracle").dataSync());
});
