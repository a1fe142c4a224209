// POST /normalize with {"samples": [[…4 numbers], …]} → {"samples": [[…], …]}, or with float32 samples as bytes → bytes.
// GET /ping answers at once, however large the samples of other requests are.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { load } from "batchnorm/safetensors";

const MOST_JSON_BYTES = 2 ** 20;
const MOST_BYTES = 2 ** 28;
/** Requests that wait for their turn, or are at it. More are told to come again. */
const MOST_PENDING = 8;
// Loaded layers are in inference mode: a request moves no statistics.
const bn = await load(await readFile(new URL("model.safetensors", import.meta.url)), "input_norm.");

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

async function normalized(x, signal) {
  if (bn.pending >= MOST_PENDING) throw new Rejected(503, "too many requests wait: come again");
  return bn.forwardAsync(x, [x.length / bn.numFeatures, bn.numFeatures], { signal });
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

async function normalizeJson(request, signal) {
  const samples = samplesOf(Buffer.from((await bodyOf(request, MOST_JSON_BYTES)).slice()).toString());
  const y = await normalized(Float32Array.from(samples.flat()), signal);
  return { samples: samples.map((_, i) => [...y.subarray(i * bn.numFeatures, (i + 1) * bn.numFeatures)]) };
}

async function normalizeBytes(request, signal) {
  const body = await bodyOf(request, MOST_BYTES);
  if (body.length % (4 * bn.numFeatures) !== 0)
    throw new Rejected(400, `the body must be samples of ${bn.numFeatures} float32 numbers`);
  return normalized(new Float32Array(body.buffer), signal);
}

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  if (request.method === "GET" && request.url === "/ping") return answer(200, { pending: bn.pending });
  // A client that has gone needs no answer.
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  try {
    if (request.method !== "POST" || request.url !== "/normalize") throw new Rejected(404, "POST /normalize");
    if (request.headers["content-type"] !== "application/octet-stream")
      return answer(200, await normalizeJson(request, gone.signal));
    const y = await normalizeBytes(request, gone.signal);
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": y.byteLength });
    response.end(Buffer.from(y.buffer, y.byteOffset, y.byteLength));
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!(error instanceof Rejected)) console.error(error);
    answer(error.status ?? 500, { error: error instanceof Rejected ? error.message : "the server has a fault" });
  }
});

server.listen(process.env.PORT ?? 8080, () => console.log(`listening on ${server.address().port}, ${bn.backend}`));
