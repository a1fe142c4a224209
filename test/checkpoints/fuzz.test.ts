// Damaged files of all formats: each is read, or refused with a documented code, and nothing beyond its end is asked for.
import { expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import * as json from "../../src/json.js";
import * as onnx from "../../src/onnx.js";
import { findBatchNorms, load, open, type FileSource } from "../../src/safetensors.js";
import { random } from "../../src/verify/data.js";
import { isExhaustive, seed } from "../support/sample.js";
import { corpus, damaged } from "./files.js";
import { damagedModel, models } from "./onnx-files.js";

const TRIALS = Number(process.env.BATCHNORM_DAMAGED_FILES ?? (isExhaustive ? 250_000 : 3000));
/** A text is read fast, and some codes come once in a thousand texts. */
const JSON_TRIALS = Math.max(TRIALS, 30_000);
const TOKENS = ["-", "-1", "1e99", "null", "[1]", "[1,1]", "{}", '"NaN"', '"x"', "running", "é", "\n"];
/** Those that `load` documents. */
const CODES = ["ERR_BATCHNORM_FILE", "ERR_BATCHNORM_STATE", "ERR_BATCHNORM_SHAPE", "ERR_BATCHNORM_VALUE"];

/** A file that says when it is read where it has nothing, or more than once over. */
function watched(file: Uint8Array): FileSource & { total: number } {
  const source = {
    total: 0,
    stat: () => Promise.resolve({ size: file.length }),
    read: (buffer: Uint8Array, offset: number, length: number, position: number) => {
      if (length < 0 || position + length > file.length || buffer.length > file.length)
        throw new Error("beyond the end");
      source.total += length;
      buffer.set(file.subarray(position, position + length), offset);
      return Promise.resolve({ bytesRead: length });
    },
  };
  return source;
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  if (!(error instanceof RangeError) || !message || !CODES.includes(code ?? "")) throw error;
  return code!;
}

/** What becomes of a file: a code, or its layers, which are whole. */
async function outcomeOf(bytes: Uint8Array): Promise<string> {
  const source = watched(bytes);
  try {
    const file = await open(source);
    const found = await findBatchNorms(file);
    for (const { prefix, channels } of found) {
      const layer = await load(file, prefix);
      if (layer.numFeatures !== channels) throw new Error(`${layer.numFeatures} channels`);
    }
    if (source.total > bytes.length) throw new Error("read more than once");
    return "read";
  } catch (error) {
    return codeOf(error);
  }
}

test("damaged files of safetensors", async () => {
  const files = corpus();
  const outcomes = new Map<string, number>();
  for (let trial = 0; trial < TRIALS; trial++) {
    const next = random(seed + trial);
    const file = damaged(files[trial % files.length]!, next);
    const outcome = await outcomeOf(file).catch((error: unknown) => {
      throw new Error(`seed ${seed + trial}: ${String(error)}`, { cause: error });
    });
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  console.log(`${TRIALS} damaged files, BATCHNORM_SEED=${seed}:`, Object.fromEntries(outcomes));
  for (const outcome of [...CODES, "read"]) expect([...outcomes.keys()]).toContain(outcome);
});

test("damaged JSON", async () => {
  const layer = new BatchNorm(3, { dtype: "float64" });
  layer.weight!.set([NaN, -Infinity, 1e-320]);
  const text = json.save({ "a.": layer, "b.": new BatchNorm(2) });
  const outcomes = new Set<string>();
  for (let trial = 0; trial < JSON_TRIALS; trial++) {
    const next = random(seed + trial);
    const at = Math.floor(next() * text.length);
    const copied = text.slice(Math.floor(next() * text.length)).slice(0, Math.floor(next() * 12));
    const other = next() < 0.5 ? copied : TOKENS[Math.floor(next() * TOKENS.length)]!;
    // Half of them take the place of a number.
    const gone = next() < 0.5 ? Math.floor(next() * 12) : (/^\d+/.exec(text.slice(at))?.[0].length ?? 0);
    const changed = text.slice(0, at) + other + text.slice(at + gone);
    try {
      const file = await json.open(changed);
      for (const { prefix } of await json.findBatchNorms(file)) await json.load(file, prefix);
      outcomes.add("read");
    } catch (error) {
      outcomes.add(codeOf(error));
    }
  }
  for (const outcome of ["read", ...CODES]) expect([...outcomes]).toContain(outcome);
});

/** What becomes of a model: a code, or its layers, which go back into it. */
async function outcomeOfModel(bytes: Uint8Array): Promise<string> {
  const source = watched(bytes);
  try {
    const model = await onnx.open(source);
    // Windows that are read again where a value was skipped, and so less than another time the file.
    if (source.total > 2 * bytes.length) throw new Error(`read ${source.total} of ${bytes.length} bytes`);
    for (const { prefix, channels } of model.batchNorms) {
      const layer = await onnx.load(model, prefix);
      if (layer.numFeatures !== channels) throw new Error(`${layer.numFeatures} channels`);
      const saved = await onnx.save(bytes, { [prefix]: layer });
      if (saved.length !== bytes.length) throw new Error("another length");
      expect((await onnx.load(saved, prefix)).stateDict()).toEqual(layer.stateDict());
    }
    return "read";
  } catch (error) {
    return codeOf(error);
  }
}

test("damaged ONNX models", async () => {
  const outcomes = new Map<string, number>();
  for (let trial = 0; trial < TRIALS; trial++) {
    const file = damagedModel(models[trial % models.length]!, random(seed + trial));
    const outcome = await outcomeOfModel(file).catch((error: unknown) => {
      throw new Error(`seed ${seed + trial}: ${String(error)}`, { cause: error });
    });
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  console.log(`${TRIALS} damaged models, BATCHNORM_SEED=${seed}:`, Object.fromEntries(outcomes));
  // Wrong shapes and values that pass as a model are rare; the tests of hostile models have them.
  for (const outcome of ["ERR_BATCHNORM_FILE", "ERR_BATCHNORM_STATE", "read"])
    expect([...outcomes.keys()]).toContain(outcome);
});
