// POST /normalize with {"samples": [[…4 numbers], …]} → {"samples": [[…], …]}.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { load } from "batchnorm/safetensors";

const MOST_BYTES = 2 ** 20;
// Loaded layers are in inference mode: a request moves no statistics.
const bn = await load(await readFile(new URL("model.safetensors", import.meta.url)), "input_norm.");

class Rejected extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MOST_BYTES) throw new Rejected(413, `a body has at most ${MOST_BYTES} bytes`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new Rejected(400, "the body is no JSON");
  }
}

function normalize(body) {
  const samples = body?.samples;
  const isSample = (sample) =>
    Array.isArray(sample) && sample.length === bn.numFeatures && sample.every(Number.isFinite);
  if (!Array.isArray(samples) || !samples.every(isSample))
    throw new Rejected(400, `"samples" must be lists of ${bn.numFeatures} numbers`);
  const y = bn.forward(Float32Array.from(samples.flat()), [samples.length, bn.numFeatures]);
  return { samples: samples.map((_, i) => [...y.subarray(i * bn.numFeatures, (i + 1) * bn.numFeatures)]) };
}

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  try {
    if (request.method !== "POST" || request.url !== "/normalize") throw new Rejected(404, "POST /normalize");
    answer(200, normalize(await bodyOf(request)));
  } catch (error) {
    if (!(error instanceof Rejected)) console.error(error);
    answer(error.status ?? 500, { error: error instanceof Rejected ? error.message : "the server has a fault" });
  }
});

server.listen(process.env.PORT ?? 8080, () => console.log(`listening on ${server.address().port}, ${bn.backend}`));
