// What every environment runs: a short training, and the hash of all its bits. Products, sums and Math.fround alone:
// engines differ in the last bit of Math.exp and the like.

/** Numbers in [-1, 1): a linear congruential generator with 2^32 states, exact in float64. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2147483648 - 1;
  };
}

function filled(length, next) {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = next();
  return values;
}

/** out[n, o, p] = Σ_i weight[o, i]·x[n, i, p]: a linear layer at every position. */
function linear(x, weight, { samples, inputs, outputs, positions }) {
  const out = new Float32Array(samples * outputs * positions);
  for (let n = 0; n < samples; n++) {
    for (let o = 0; o < outputs; o++) {
      for (let p = 0; p < positions; p++) {
        let sum = 0;
        for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i] * x[(n * inputs + i) * positions + p];
        out[(n * outputs + o) * positions + p] = sum;
      }
    }
  }
  return out;
}

/** weight[o, i] −= rate·Σ_np grad[n, o, p]·x[n, i, p]. */
function learn(weight, x, grad, { samples, inputs, outputs, positions }, rate) {
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      let sum = 0;
      for (let n = 0; n < samples; n++) {
        for (let p = 0; p < positions; p++) {
          sum += grad[(n * outputs + o) * positions + p] * x[(n * inputs + i) * positions + p];
        }
      }
      weight[o * inputs + i] -= rate * sum;
    }
  }
}

/** FNV-1a over 32-bit words, as eight hexadecimal digits. */
function hashOf(arrays) {
  let hash = 0x811c9dc5;
  for (const array of arrays) {
    for (const word of new Uint32Array(array.buffer, array.byteOffset, array.length)) {
      hash = Math.imul(hash ^ word, 0x01000193);
    }
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/**
 * Linear, BatchNorm with ReLU, squared error: a few steps, then an inference. `batchnorm` is the package's namespace,
 * `options` go to the layer. Returns the hash of all parameters, running statistics and predictions.
 */
export function train(batchnorm, options = {}) {
  const size = { samples: 16, inputs: 5, outputs: 24, positions: 9 };
  const shape = [size.samples, size.outputs, size.positions];
  const next = generator(20150211);
  const weight = filled(size.outputs * size.inputs, next);
  const x = filled(size.samples * size.inputs * size.positions, next);
  const target = filled(size.samples * size.outputs * size.positions, next);
  const layer = new batchnorm.BatchNorm(size.outputs, { activation: "relu", ...options });
  for (let step = 0; step < 8; step++) {
    const y = layer.forward(linear(x, weight, size), shape);
    const grad = new Float32Array(y.length);
    for (let i = 0; i < y.length; i++) grad[i] = (y[i] - target[i]) / y.length;
    const { gradInput, gradWeight, gradBias } = layer.backward(grad);
    learn(weight, x, gradInput, size, 4);
    for (let c = 0; c < size.outputs; c++) {
      layer.weight[c] -= 4 * gradWeight[c];
      layer.bias[c] -= 4 * gradBias[c];
    }
  }
  layer.eval();
  const prediction = layer.forward(linear(x, weight, size), shape);
  return hashOf([weight, layer.weight, layer.bias, layer.runningMean, layer.runningVar, prediction]);
}

/** Trains; the line that `expectReport` reads: the backend in use, why each other one is not, and the hash. */
export function report(batchnorm, runtime = "") {
  const hash = train(batchnorm);
  const list = batchnorm.backends();
  const reasons = {};
  for (const { name, reason } of list) if (reason !== undefined) reasons[name] = reason;
  const inUse = list.find(({ status }) => status === "in use");
  return JSON.stringify({ backend: inUse ? inUse.name : null, reasons, hash, runtime });
}
