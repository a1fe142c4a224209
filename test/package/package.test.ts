// The tarball, as its users get it: what is in it, and that it works from an empty folder.
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { wasmBase64 } from "../../src/backends/wasm/wasm-binary.js";
import { manifestText, packInto, publishedManifest } from "../../scripts/release/stage.mjs";
import { backendsUnderTest, hasNative } from "../support/backends.js";
import { temporaryFolder } from "../support/folders.js";
import { root, runModule } from "../support/package-copy.js";

type Exports = string | { readonly [condition: string]: Exports };

interface Manifest {
  readonly exports: Exports;
  readonly main: string;
  readonly types: string;
}

/** Every file that `exports` names. */
function targetsOf(exports: Exports): string[] {
  return typeof exports === "string" ? [exports] : Object.values(exports).flatMap(targetsOf);
}

/** Packs into a folder and unpacks beside it. */
function packed(): { tarball: string; paths: string[]; folder: string } {
  const folder = temporaryFolder();
  const { path, files } = packInto(folder);
  execFileSync("tar", ["-xzf", path, "-C", folder]);
  return { tarball: path, paths: files.map(({ path }) => path), folder: join(folder, "package") };
}

test("ships what is built and nothing that runs on install", () => {
  const { paths, folder } = packed();
  const text = readFileSync(join(folder, "package.json"), "utf8");
  const { exports, main, types } = JSON.parse(text) as Manifest;
  const targets = [...targetsOf(exports), main, types].map((target) => target.replace("./", ""));
  expect(targets).toContain("dist/workerd.js");
  for (const path of targets) expect(paths).toContain(path);
  expect(
    paths.filter((path) => !/^(dist|prebuilds|native|assembly|docs|examples\/pytorch-inference)\//.test(path)).sort(),
  ).toEqual([
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "package.json",
    "scripts/build/install-addon.mjs",
  ]);
  // Sources, not what was built of them.
  expect(paths).toContain("native/binding.gyp");
  expect(paths.filter((path) => path.startsWith("native/mpi/")).sort()).toEqual(
    readdirSync(join(root, "native", "mpi"))
      .sort()
      .map((name) => `native/mpi/${name}`),
  );
  expect(paths.filter((path) => /^native\/build\//.test(path))).toEqual([]);
  const binaries = paths.filter((path) => path.startsWith("prebuilds/"));
  expect(binaries.length > 0).toBe(hasNative);
  const manifest = JSON.parse(text) as Record<string, unknown>;
  expect(manifest["gypfile"]).toBe(false);
  for (const name of ["scripts", "dependencies", "devDependencies"]) expect(manifest).not.toHaveProperty(name);
  // Nothing else is left out.
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, unknown>;
  expect({ ...manifest, scripts: own["scripts"], devDependencies: own["devDependencies"] }).toEqual(own);
});

test("npm pack in a clone packs the published package.json, and puts the clone's own back", () => {
  const clone = temporaryFolder();
  for (const part of [
    "package.json",
    "scripts/release/swap.mjs",
    "scripts/release/stage.mjs",
    "scripts/check/plain.mjs",
  ])
    cpSync(join(root, part), join(clone, part));
  const own = readFileSync(join(clone, "package.json"), "utf8");
  const options = { cwd: clone, encoding: "utf8", stdio: "pipe" } as const;
  const printed = execFileSync("npm", ["pack", "--silent"], options).trim().split("\n");
  expect(readFileSync(join(clone, "package.json"), "utf8")).toBe(own);
  const text = execFileSync("tar", ["-xzOf", printed.at(-1), "package/package.json"], options);
  expect(text).toBe(manifestText(publishedManifest(JSON.parse(own) as Record<string, unknown>)));
});

test("the WASM module is smaller than 40 KB", () => {
  expect(Buffer.from(wasmBase64(), "base64").length).toBeLessThan(40 * 1024);
});

test("installs into an empty folder and runs the README's example", () => {
  const folder = temporaryFolder();
  const { tarball } = packed();
  writeFileSync(join(folder, "package.json"), '{ "name": "user", "private": true }\n');
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], {
    cwd: folder,
    encoding: "utf8",
    stdio: "pipe",
  });
  const example = /```js\n(import \{ BatchNorm \}[^]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))![1]!;
  const { stdout, stderr, status } = runModule(
    `${example}
     import { backends } from "batchnorm";
     import { variance } from "batchnorm/math";
     import { scaleShift } from "batchnorm/fold";
     import { load, save } from "batchnorm/safetensors";
     import * as json from "batchnorm/json";
     import { onnxBatchNormalization } from "batchnorm/onnx";
     import * as pytorch from "batchnorm/pytorch";
     import { findBatchNorms, fromWeights, toWeights } from "batchnorm/keras";
     import { bindTfjs } from "batchnorm/tfjs";
     import { convertSyncBatchNorm, singleGroup } from "batchnorm/sync";
     import { mpiGroup } from "batchnorm/mpi";
     let unbuilt;
     try {
       mpiGroup();
     } catch (error) {
       unbuilt = error;
     }
     let refusal;
     try {
       bindTfjs(json);
     } catch ({ code }) {
       refusal = code;
     }
     const copies = [load(save(bn), ""), json.load(json.save(bn), ""), pytorch.load(pytorch.save(bn), "")];
     const isCopied = (await Promise.all(copies)).every((copy) => copy instanceof BatchNorm && copy.numBatchesTracked === 1);
     const isOfKeras = fromWeights(toWeights(bn)).runningVar.every((value, c) => value === bn.runningVar[c]);
     const needs = await findBatchNorms(Uint8Array.of(0x89, ...Buffer.from("HDF\\r\\n\\x1a\\n"))).catch((error) => error);
     const isFolded = scaleShift(await copies[1]).scale[0] === scaleShift(bn).scale[0];
     const one = { data: Float32Array.of(1), dims: [1] };
     const isOperated = onnxBatchNormalization(15, [one, one, one, one, one])[0].data[0] === 1;
     const sync = convertSyncBatchNorm(bn, singleGroup());
     const isSynchronized = sync instanceof BatchNorm && sync.runningVar.every((value, c) => value === bn.runningVar[c]);
     const used = backends().find(({ status }) => status === "in use").name;
     const finite = [y, gradInput, gradWeight, gradBias, prediction].every((array) => array.every(Number.isFinite));
     console.log(JSON.stringify({ used, finite, isCopied, isFolded, refusal, isOfKeras, isOperated, isSynchronized, unbuilt: [unbuilt.code, unbuilt.message], code: needs.code, message: needs.message, tracked: bn.numBatchesTracked, variance: typeof variance }));`,
    folder,
  );
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  const best = backendsUnderTest.find(({ kernels }) => kernels)!.name;
  expect(JSON.parse(stdout)).toEqual({
    used: best,
    finite: true,
    isCopied: true,
    isFolded: true,
    isOperated: true,
    isOfKeras: true,
    isSynchronized: true,
    code: "ERR_BATCHNORM_PACKAGE",
    message: expect.stringContaining('files of HDF5 need the package "h5wasm": npm install h5wasm (') as string,
    refusal: "ERR_BATCHNORM_TYPE",
    unbuilt: [
      "ERR_BATCHNORM_MPI",
      expect.stringMatching(/not built: .*build.mpi.* Build the addon with: npx batchnorm build-mpi$/),
    ],
    tracked: 1,
    variance: "function",
  });
});
