// Damaged files of all formats: each is read, or refused with a documented code, and nothing beyond its end is asked for.
import { readFileSync } from "node:fs";
import { join, posix, win32 } from "node:path";
import { expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import * as json from "../../src/json.js";
import * as keras from "../../src/keras.js";
import * as onnx from "../../src/onnx.js";
import * as pytorch from "../../src/pytorch.js";
import * as safetensors from "../../src/safetensors.js";
import type { FileSource } from "../../src/safetensors.js";
import { random, type Random } from "../../src/verify/data.js";
import { root } from "../support/package-copy.js";
import { isExhaustive, seed } from "../support/sample.js";
import { damagedArchive, damagedKeras } from "./archives.js";
import { corpus, damaged, stateOfKinds } from "./files.js";
import { installHdf5 } from "./hdf5-package.js";
import { beside, damagedModel, externalModel, models } from "./onnx-files.js";

const TRIALS = Number(process.env.BATCHNORM_DAMAGED_FILES ?? (isExhaustive ? 250_000 : 3000));
/** To damage an archive means to write another. */
const TORCH_TRIALS = Number(process.env.BATCHNORM_DAMAGED_FILES ?? (isExhaustive ? 50_000 : 3000));
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

type Format = typeof keras | typeof pytorch | typeof safetensors;

/** What becomes of a file: a code, or its layers, which are whole. No more is read than `times` the file. */
async function outcomeOf(bytes: Uint8Array, format: Format, times = 1): Promise<string> {
  const source = watched(bytes);
  try {
    const file = await format.open(source);
    const found = await format.findBatchNorms(file);
    for (const { prefix, channels } of found) {
      const layer = await format.load(file as keras.KerasCheckpoint, prefix);
      if (layer.numFeatures !== channels) throw new Error(`${layer.numFeatures} channels`);
    }
    if (source.total > times * bytes.length) throw new Error(`read ${source.total} of ${bytes.length} bytes`);
    return "read";
  } catch (error) {
    return codeOf(error);
  }
}

async function outcomesOf(
  outcomeAt: (next: Random, trial: number) => Promise<string>,
  trials = TRIALS,
  expected: readonly string[] = [...CODES, "read"],
): Promise<void> {
  const outcomes = new Map<string, number>();
  for (let trial = 0; trial < trials; trial++) {
    const outcome = await outcomeAt(random(seed + trial), trial).catch((error: unknown) => {
      throw new Error(`seed ${seed + trial}: ${String(error)}`, { cause: error });
    });
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  console.log(`${trials} damaged files, BATCHNORM_SEED=${seed}:`, Object.fromEntries(outcomes));
  for (const outcome of expected) expect([...outcomes.keys()]).toContain(outcome);
}

test("damaged files of safetensors", async () => {
  const files = corpus();
  await outcomesOf((next, trial) => outcomeOf(damaged(files[trial % files.length]!, next), safetensors));
});

test("damaged files of torch", async () => {
  const names = ["network.pt", "resnet.pt"].map((name) => join(root, "test", "checkpoints", "pytorch", name));
  const files = [...names.map((name) => new Uint8Array(readFileSync(name))), pytorch.save(stateOfKinds())];
  // The end is read alone, then with the longest comment, and then once more as a part of the directory.
  await outcomesOf(
    async (next, trial) => outcomeOf(await damagedArchive(files[trial % files.length]!, next), pytorch, 4),
    TORCH_TRIALS,
  );
});

test.skipIf(installHdf5() !== null)("damaged files of Keras", async () => {
  const file = new Uint8Array(readFileSync(join(root, "test", "checkpoints", "keras", "model.keras")));
  const damagedAt = async (next: Random): Promise<string> => outcomeOf(await damagedKeras(file, next), keras, 4);
  await outcomesOf(damagedAt, Math.min(900, Math.ceil(TRIALS / 20)), ["read", "ERR_BATCHNORM_FILE"]);
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
  const damagedAt = (next: Random, trial: number): Promise<string> =>
    outcomeOfModel(damagedModel(models[trial % models.length]!, next));
  // Wrong shapes and values that pass as a model are rare; the tests of hostile models have them.
  await outcomesOf(damagedAt, TRIALS, ["ERR_BATCHNORM_FILE", "ERR_BATCHNORM_STATE", "read"]);
});

/** A location is joined to the folder of the model, in every way in which programs do so. */
function expectInside(location: string): void {
  const isInside =
    posix.resolve("/models/one", location).startsWith("/models/one/") &&
    win32.resolve("C:\\models\\one", location).startsWith("C:\\models\\one\\") &&
    new URL(location, "https://host/models/one/").href.startsWith("https://host/models/one/") &&
    new URL(location, "file:///models/one/").href.startsWith("file:///models/one/");
  if (!isInside) throw new Error(`the location ${JSON.stringify(location)} leaves the folder`);
}

test("ONNX models with external data at places of any kind", async () => {
  const outcomeAt = async (next: Random): Promise<string> => {
    const source = watched(beside);
    const external = (location: string): FileSource => {
      expectInside(location);
      return source;
    };
    try {
      const model = await onnx.open(externalModel(next), { external });
      for (const { prefix } of model.batchNorms) {
        const { weight } = await onnx.load(model, prefix);
        if (weight!.length > beside.length / 4) throw new Error(`${weight!.length} elements`);
      }
      return "read";
    } catch (error) {
      return codeOf(error);
    }
  };
  await outcomesOf(outcomeAt, TRIALS, ["ERR_BATCHNORM_FILE", "ERR_BATCHNORM_STATE", "read"]);
});
