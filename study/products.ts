// The products of the dense layers.
import { plainProducts, type Products } from "../examples/digits/network/matrix.js";

export function loadProducts(): Promise<Products> {
  return Promise.resolve(plainProducts);
}

export function productsVersion(): Record<string, string> {
  return {};
}
