// A package in whatever runtime this is: node probe.mjs INDEX BACKEND…. One of the backends must be in use, and give the
// oracle's bits. Prints the backend's name.
const [index, ...expected] = process.argv.slice(2);
const { backends, BatchNorm } = await import(index);

/** Tails of all lengths, one channel and many, either layout, and a tensor that threads share. */
const CASES = [
  { shape: [4, 3, 17] },
  { shape: [5, 1, 33] },
  { shape: [2, 19, 5], options: { activation: "relu" } },
  { shape: [33, 7], options: { dtype: "float64" } },
  { shape: [3, 5, 5, 21], options: { layout: "channels-last" } },
  { shape: [8, 16, 48, 49] },
];

/** Values that no rounding spares, from exact operations alone. */
const values = (Type, length, seed) => Type.from({ length }, (_, i) => (((i + seed) * 7919) % 1009) / 61 - 5);

/** Everything a step computes, one array after the other. */
function stepOf(backend, { shape, options }) {
  const channels = options?.layout === "channels-last" ? shape.at(-1) : shape[1];
  const length = shape.reduce((product, extent) => product * extent);
  const Type = options?.dtype === "float64" ? Float64Array : Float32Array;
  const bn = new BatchNorm(channels, { ...options, backend });
  const y = bn.forward(values(Type, length, 1), shape);
  const { gradInput, gradWeight, gradBias } = bn.backward(values(Type, length, 500));
  return { y, gradInput, gradWeight, gradBias, runningMean: bn.runningMean, runningVar: bn.runningVar };
}

const inUse = backends().find(({ status }) => status === "in use");
if (!expected.includes(inUse.name)) {
  throw new Error(`in use is ${inUse.name}: ${JSON.stringify(backends(), null, 1)}`);
}
for (const one of CASES) {
  const oracle = stepOf("oracle", one);
  for (const [name, values] of Object.entries(stepOf(inUse.name, one))) {
    const at = values.findIndex((value, i) => !Object.is(value, oracle[name][i]));
    if (at >= 0) throw new Error(`${inUse.name}, ${one.shape.join("×")}: ${name}[${at}] is not the oracle's`);
  }
}
console.log(inUse.name);
