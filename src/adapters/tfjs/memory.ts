// The elements of tensors. On the cpu backend they are JavaScript arrays, which go in and come out without a copy. The
// WebAssembly backend copies what it reads and what it is given, so there the elements are views of its memory: a forward
// reads x and writes y in place. Such a view is good until TensorFlow.js allocates again, because memory that grows leaves
// its old buffer behind. So all outputs are made first, and a backward takes new views of what it saved. On other backends
// (webgl) elements are copied from the GPU and back.
import { checkData, describe, tagOf } from "../../base/check.js";
import { rangeError } from "../../base/errors.js";
import type { Backend, Tensor, Tensorflow } from "./tensorflow.js";

type Heap = Required<Backend>;

/** The WebAssembly backend, if it is the one in use. By what it has: its name is the user's. */
function heapOf(tf: Tensorflow): Heap | null {
  const backend = tf.backend();
  const isHeap = ["typedArrayFromHeap", "makeOutput", "refCount"].every((method) => method in backend);
  return isHeap ? (backend as Heap) : null;
}

/** Of this backend a tensor is read at once only through a canvas, slowly, and not in every browser. */
const ASYNCHRONOUS = "webgpu";

/** @throws RangeError if tensors of the backend in use can only be awaited. */
export function checkSynchronous(tf: Tensorflow): void {
  if (tf.getBackend() !== ASYNCHRONOUS) return;
  const hint = `tf.setBackend("wasm"), or, without gradients, await batchNormAsync`;
  throw rangeError(
    "ERR_BATCHNORM_VALUE",
    `"tf.getBackend()" expected a backend whose tensors can be read at once, got ${describe(ASYNCHRONOUS)}: ${hint}`,
  );
}

/** Whether the elements of a tensor are a view of memory that may move. */
export function isInHeap(tf: Tensorflow, { dataId }: Tensor): boolean {
  return (heapOf(tf)?.refCount(dataId) ?? 0) > 0;
}

function sizeOf({ shape }: Tensor): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** The elements of a tensor, to be read before TensorFlow.js allocates again. */
export function elementsOf(tf: Tensorflow, name: string, tensor: Tensor): Float32Array {
  const heap = heapOf(tf);
  const isView = heap && !tensor.shape.includes(0) && isInHeap(tf, tensor);
  return isView ? heap.typedArrayFromHeap(tensor) : lastingElementsOf(name, tensor);
}

/** The elements of a tensor, in an array that stays. */
export function lastingElementsOf(name: string, tensor: Tensor): Float32Array {
  return floatsOf(name, tensor.dataSync(), sizeOf(tensor));
}

/** On the cpu backend a tensor that was cast to float32 still has the array of what it was. */
function floatsOf(name: string, values: unknown, size: number): Float32Array {
  const isOther = ["Int32Array", "Uint8Array"].includes(tagOf(values) ?? "");
  const floats = isOther ? Float32Array.from(values as Int32Array | Uint8Array) : values;
  return checkData(name, floats, "float32", size) as Float32Array;
}

/** The elements of a tensor of any backend. */
export async function elementsLater(name: string, tensor: Tensor): Promise<Float32Array> {
  return floatsOf(name, await tensor.data(), sizeOf(tensor));
}

/** A tensor that a call writes to in place, or null where the backend takes over the array of the result. */
export function outputOf(tf: Tensorflow, { shape }: Tensor): Tensor | null {
  const heap = heapOf(tf);
  if (heap === null || shape.includes(0)) return null;
  return tf.engine().makeTensorFromTensorInfo(heap.makeOutput(shape, "float32"));
}
