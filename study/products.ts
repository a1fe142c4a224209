// The products of the dense layers by TensorFlow.js on WebAssembly, which measured 2.2 times as fast a step as the plain
// loops. WebAssembly's SIMD instructions round alike on every machine, and one thread adds in one order, so every run gives
// the same bits. Transposed matrices are multiplied slowly there, so they are transposed here.
import { plainProducts, type Products } from "../examples/digits/network/matrix.js";
import { packages } from "./data/mnist.js";

const CORE = "@tensorflow/tfjs-core";
const WASM = "@tensorflow/tfjs-backend-wasm";

interface Tensor {
  dataSync(): Float32Array;
  dispose(): void;
}

/** What is used of tfjs-core. */
interface Core {
  enableProdMode(): void;
  setBackend(name: "wasm"): Promise<boolean>;
  tensor(values: Float32Array, shape: readonly [number, number]): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
}

/** A contiguous copy of the transpose of a rows × columns matrix. */
function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j]!;
  }
  return result;
}

/** Which products: the study's, or the plain loops, which need no package. */
export type ProductsName = "tensorflow" | "plain";

/** Once for each thread. @throws Error where they are not installed or do not run here. */
export async function loadProducts(name: ProductsName): Promise<Products> {
  return name === "plain" ? plainProducts : tensorflowProducts();
}

async function tensorflowProducts(): Promise<Products> {
  const tf = packages.load<Core>(CORE);
  packages.load<{ setWasmPaths(folder: string): void }>(WASM).setWasmPaths(packages.folderIn(WASM, "wasm-out"));
  tf.enableProdMode();
  if (!(await tf.setBackend("wasm"))) throw new Error(`${WASM} does not run here`);
  /** out = a·b, of rows × inner and inner × columns. */
  const multiply = (
    a: Float32Array,
    b: Float32Array,
    sizes: readonly [number, number, number],
    out: Float32Array,
  ): void => {
    const [rows, inner, columns] = sizes;
    const left = tf.tensor(a, [rows, inner]);
    const right = tf.tensor(b, [inner, columns]);
    const product = tf.matMul(left, right);
    out.set(product.dataSync());
    for (const tensor of [left, right, product]) tensor.dispose();
  };
  return {
    forward({ rows, inputs, outputs }, x, weight, y) {
      multiply(x, weight, [rows, inputs, outputs], y);
    },
    gradInput({ rows, inputs, outputs }, dy, weight, dx) {
      multiply(dy, transpose(weight, inputs, outputs), [rows, outputs, inputs], dx);
    },
    gradWeight({ rows, inputs, outputs }, x, dy, dweight) {
      multiply(transpose(x, rows, inputs), dy, [inputs, rows, outputs], dweight);
    },
  };
}

export function productsVersion(): Record<string, string> {
  return { "tfjs-backend-wasm": packages.versionOf(WASM) };
}
