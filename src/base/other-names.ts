// The names that other libraries give to our options and to the entries of a state, and names that are mistyped.

/** In lower case and without marks between words: our option or field, and whose name it is. */
const NAMES: ReadonlyMap<string, readonly [name: string, owner: string]> = new Map([
  ["gamma", ["weight", "Keras"]],
  ["scale", ["weight", "ONNX"]],
  ["beta", ["bias", "Keras"]],
  ["center", ["bias", "Keras"]],
  ["offset", ["bias", "TensorFlow"]],
  ["b", ["bias", "ONNX"]],
  ["epsilon", ["eps", "Keras"]],
  ["varianceepsilon", ["eps", "TensorFlow"]],
  ["mean", ["runningMean", "TensorFlow"]],
  ["movingmean", ["runningMean", "Keras"]],
  ["inputmean", ["runningMean", "ONNX"]],
  ["runningmean", ["runningMean", "the layer's fields"]],
  ["var", ["runningVar", "ONNX"]],
  ["variance", ["runningVar", "TensorFlow"]],
  ["movingvariance", ["runningVar", "Keras"]],
  ["inputvar", ["runningVar", "ONNX"]],
  ["runningvar", ["runningVar", "the layer's fields"]],
  ["numbatchestracked", ["numBatchesTracked", "the layer's fields"]],
  ["dataformat", ["layout", "TensorFlow"]],
  ["format", ["layout", "TensorFlow"]],
  ["dim", ["axis", "torch"]],
  ["inplace", ["out", "torch"]],
  ["output", ["out", "torch"]],
  ["gradinput", ["out", "torch"]],
  ["fusedactivation", ["activation", "TensorFlow"]],
  ["type", ["dtype", "torch"]],
  ["alpha", ["slope", "ONNX"]],
  ["negativeslope", ["slope", "torch"]],
  ["weights", ["sampleWeights", "numpy"]],
  ["sampleweight", ["sampleWeights", "Keras"]],
]);

const plainOf = (name: string): string => name.replaceAll(/[_-]/g, "").toLowerCase();

/** Our name for what others call so, and who does. */
export function otherName(name: string): readonly [name: string, owner: string] | undefined {
  return NAMES.get(plainOf(name));
}

/** Whether one letter put in, left out or changed, or two neighbours exchanged, make one word of another. */
export function isOneEdit(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  return Math.max(x.length, y.length) < 2 || (x.length === 2 && x === y[1]! + y[0]!);
}

/** The one of `known` that a caller may have meant: in another spelling, of another library, or mistyped. */
export function meant(name: string, known: readonly string[]): string | undefined {
  const plain = plainOf(name);
  const other = otherName(name)?.[0];
  const isMeant = [
    (one: string) => one.toLowerCase() === plain,
    (one: string) => one === other,
    (one: string) => isOneEdit(one.toLowerCase(), plain),
  ];
  return isMeant.map((test) => known.find(test)).find((one) => one !== undefined);
}
