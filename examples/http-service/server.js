// POST /normalize with {"samples": [[…4 numbers], …]} → {"samples": [[…], …]}, or with float32 samples as bytes → bytes.
// GET /ping answers at once, however large the samples of other requests are.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { load } from "batchnorm/safetensors";

const MOST_JSON_BYTES = 2 ** 20;
const MOST_BYTES = 2 ** 28;
// Loaded layers are in inference mode: a request moves no statistics. At most eight requests wait or run. With `reuse` an output
// belongs to its request until it is released, and is then used again: large new arrays make JavaScript collect garbage.
const options = { maxPending: 8, reuse: true };
const bn = await load(await readFile(new URL("model.safetensors", import.meta.url)), "input_norm.", options);

class Rejected extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The body, in a buffer that other threads can read: forwardAsync need not copy it. */
async function bodyOf(request, most) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > most) throw new Rejected(413, `a body has at most ${most} bytes`);
    parts.push(part);
  }
  const body = new Uint8Array(new SharedArrayBuffer(size));
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

/** Calls `use` with the output, which is given back afterwards. */
async function normalized(x, signal, use) {
  const y = await bn.forwardAsync(x, [x.length / bn.numFeatures, bn.numFeatures], { signal });
  try {
    await use(y);
  } finally {
    bn.release(y);
  }
}

function samplesOf(text) {
  let samples;
  try {
    samples = JSON.parse(text)?.samples;
  } catch {
    throw new Rejected(400, "the body is no JSON");
  }
  const isSample = (sample) =>
    Array.isArray(sample) && sample.length === bn.numFeatures && sample.every(Number.isFinite);
  if (!Array.isArray(samples) || !samples.every(isSample))
    throw new Rejected(400, `"samples" must be lists of ${bn.numFeatures} numbers`);
  return samples;
}

function answer(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function normalizeJson(request, response, signal) {
  const samples = samplesOf(Buffer.from((await bodyOf(request, MOST_JSON_BYTES)).slice()).toString());
  const { numFeatures } = bn;
  await normalized(Float32Array.from(samples.flat()), signal, (y) =>
    answer(response, 200, { samples: samples.map((_, i) => [...y.subarray(i * numFeatures, (i + 1) * numFeatures)]) }),
  );
}

async function normalizeBytes(request, response, signal) {
  const body = await bodyOf(request, MOST_BYTES);
  if (body.length % (4 * bn.numFeatures) !== 0)
    throw new Rejected(400, `the body must be samples of ${bn.numFeatures} float32 numbers`);
  await normalized(new Float32Array(body.buffer), signal, (y) => {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": y.byteLength });
    response.end(Buffer.from(y.buffer, y.byteOffset, y.byteLength));
    // The output is sent from where it is. A client may have gone meanwhile.
    return finished(response);
  });
}

const faultOf = (error) => {
  if (error instanceof Rejected) return error;
  if (error.code === "ERR_BATCHNORM_BUSY") return new Rejected(503, "too many requests wait: come again");
  console.error(error);
  return new Rejected(500, "the server has a fault");
};

const server = createServer(async (request, response) => {
  if (request.method === "GET" && request.url === "/ping") return answer(response, 200, { pending: bn.pending });
  // A client that has gone needs no answer.
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  try {
    if (request.method !== "POST" || request.url !== "/normalize") throw new Rejected(404, "POST /normalize");
    const isJson = request.headers["content-type"] !== "application/octet-stream";
    await (isJson ? normalizeJson : normalizeBytes)(request, response, gone.signal);
  } catch (error) {
    if (gone.signal.aborted) return;
    const { status, message } = faultOf(error);
    answer(response, status, { error: message });
  }
});

server.listen(process.env.PORT ?? 8080, () => console.log(`listening on ${server.address().port}, ${bn.backend}`));
