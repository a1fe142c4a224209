// node scripts/check/large.mjs [elements]: float16 inference in place and moments over more than 2^31 elements (4.3 GB), in
// the walks of planes and of columns, on native and on WebAssembly; every element is compared. Needs npm run build.
import { backends, batchNormInference, moments } from "batchnorm";

const elements = Number(process.argv[2] ?? 2 ** 31 + 17);
const PERIOD = 65_521; // a prime: an index that is off shows
const say = (text) => process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);

/** binary16 of exponents that no operation below rounds out of. */
const pattern = Uint16Array.from({ length: PERIOD }, (_, i) => 0x3000 + ((i * 40_503) % 0x1800));

/** The pattern again and again; doubled, because a loop takes minutes. */
function fill(data, values) {
  data.set(values.subarray(0, Math.min(values.length, data.length)));
  for (let done = values.length; done < data.length; done *= 2) {
    data.copyWithin(done, 0, Math.min(done, data.length - done));
  }
}

/** The first element that is not the pattern's, or -1. */
function firstDifference(data, values) {
  const bytes = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
  for (let start = 0; start < data.length; start += PERIOD) {
    const piece = data.subarray(start, start + PERIOD);
    if (bytes(piece).equals(bytes(values.subarray(0, piece.length)))) continue;
    return start + piece.findIndex((value, i) => value !== values[i]);
  }
  return -1;
}

/** Their mean by the counts of the pattern's values. */
function meanOf(values) {
  const whole = Math.floor(elements / PERIOD);
  const rest = elements % PERIOD;
  let sum = 0;
  values.forEach((value, i) => (sum += value * (whole + Number(i < rest))));
  return sum / elements;
}

const wide = (bits) => (1 + (bits & 0x3ff) / 1024) * 2 ** ((bits >> 10) - 15);
const expectedMean = meanOf(Array.from(pattern, wide));
const statistics = { runningMean: Float32Array.of(0.5), runningVar: Float32Array.of(2), eps: 0 };
const options = { dtype: "float16", ...statistics };
const expected = batchNormInference(pattern, [PERIOD, 1], { ...options, backend: "oracle" }).output;

let failed = 0;
const usable = backends().filter(({ status, lacks }) => /^(in use|available)$/.test(status) && !lacks);
say(`${elements} elements, ${((elements * 2) / 2 ** 30).toFixed(1)} GiB`);
const data = new Uint16Array(elements);
for (const { name } of usable.filter((one) => one.name !== "oracle")) {
  for (const shape of [
    [1, 1, elements],
    [elements, 1],
  ]) {
    const what = `${name}, shape [${shape.join(", ")}]`;
    say(`${what}: filling`);
    fill(data, pattern);
    say(`${what}: moments`);
    const { count, mean } = moments(data, shape, { dtype: "float16", backend: name });
    say(`${what}: inference`);
    const start = Date.now();
    batchNormInference(data, shape, { ...options, out: data, backend: name });
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    say(`${what}: comparing`);
    const at = firstDifference(data, expected);
    const wrong = count !== elements || Math.abs(mean[0] / expectedMean - 1) > 1e-6; // float32 within a block
    if (at >= 0 || wrong) failed++;
    say("");
    console.log(`${what}: ${at >= 0 ? `element ${at} differs` : wrong ? `mean ${mean[0]}` : "passed"}, ${seconds} s`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;
