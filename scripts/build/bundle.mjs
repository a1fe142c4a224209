// Makes dist/ of src/: bundles for each kind of runtime, since some 40 modules take Node 20 ms more to load than two, and
// comments 2 ms more to parse; and one declaration file for each entry, as ESM and as CommonJS.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "dist");
const declarations = join(root, "build", "types");

/** What users import, each with declarations. */
const ENTRIES = ["index", "math", "verify"];
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** What Node loads without a bundler. */
const COMPACT = { minifyWhitespace: true, minifySyntax: true };

/** The names are shortened later. */
const MINIFIED = { ...COMPACT, metafile: true };

const COMMON = { absWorkingDir: root, bundle: true, format: "esm", platform: "neutral", target: "es2022" };

/** Another module of src/ in a module's place. */
const replacing = (modules) => ({
  name: "replacing",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, kind, resolveDir }) => {
      const replacement =
        kind === "entry-point" ? undefined : modules[relative(join(root, "src"), join(resolveDir, path))];
      return replacement && { path: join(root, "src", replacement) };
    });
  },
});

/** The command takes the layer from the package's entry, which so needs no second file that it shares with the command alone. */
const layerFromIndex = {
  name: "layer-from-index",
  setup({ onResolve }) {
    onResolve({ filter: /\/layer\/batch-norm\.js$/ }, ({ resolveDir }) =>
      resolveDir === join(root, "src", "cli") ? { path: "./index.js", external: true } : undefined,
    );
  },
};

/** Also imported by users: one build for every runtime, which takes layers and forwards from the package's main entry. */
const BESIDE = ["fold", "json", "keras", "mpi", "onnx", "pytorch", "safetensors", "sync", "tfjs"];

/** Those that look for files of the package. */
const OF_FILES = ["mpi"];

/** Of users who read HDF5. */
const OPTIONAL = ["h5wasm"];

/** By the package's own name: the conditions of `exports` pick the same build that the user's import gets. */
const layerOfPackage = {
  name: "layer-of-package",
  setup({ onResolve }) {
    onResolve({ filter: /\/(layer\/batch-norm|layer\/part|functional\/forward|backends\/arena)\.js$/ }, () => ({
      path: "batchnorm",
      external: true,
    }));
  },
};

/** What stands in for import.meta.url; and for what a bare realm of node:vm has not, whose `require` is Node's. */
const COMMONJS_BANNER = `
const requiredProcess = require("node:process");
const { URL, pathToFileURL } = require("node:url");
const importMetaUrl = pathToFileURL(__filename).href;`;

const NO_ADDON = { "backends/native/native.js": "backends/native/native-absent.ts" };

/** For edge workers. */
const NO_WORKERS = {
  "backends/off-thread/session.js": "backends/off-thread/session-absent.ts",
  "backends/wasm/off-thread.js": "backends/wasm/off-thread-absent.ts",
  "backends/wasm/packaged-module.js": "backends/wasm/packaged-module-static.ts",
};

/** Every bundle: what its runtime has no use for is not in it. */
const BUNDLES = [
  {
    // index.js and one file that it shares with the others, whose state is one.
    entryPoints: [
      { in: "src/index.ts", out: "index" },
      { in: "src/verify.ts", out: "verify" },
      { in: "src/cli/main.ts", out: "cli" },
    ],
    outdir: "dist",
    splitting: true,
    plugins: [layerFromIndex],
    external: ["node:*"],
    define: { PACKAGE_VERSION: JSON.stringify(version) },
    chunkNames: "shared-[hash]",
    ...MINIFIED,
  },
  { entryPoints: ["src/math.ts"], outfile: "dist/math.js", ...MINIFIED },
  ...ENTRIES.map((name) => ({
    entryPoints: [`src/${name}.ts`],
    outfile: `dist/${name}.cjs`,
    format: "cjs",
    define: { "import.meta.url": "importMetaUrl" },
    ...MINIFIED,
    ...(name !== "math" && {
      banner: { js: COMMONJS_BANNER },
    }),
  })),
  {
    entryPoints: BESIDE.map((name) => ({ in: `src/${name}.ts`, out: name })),
    outdir: "dist",
    splitting: true,
    plugins: [layerOfPackage],
    external: OPTIONAL,
    chunkNames: "beside-[hash]",
    ...COMPACT,
  },
  ...BESIDE.map((name) => ({
    entryPoints: [`src/${name}.ts`],
    outfile: `dist/${name}.cjs`,
    format: "cjs",
    plugins: [layerOfPackage],
    external: OPTIONAL,
    ...(OF_FILES.includes(name) && {
      define: { "import.meta.url": "importMetaUrl" },
      banner: { js: COMMONJS_BANNER },
    }),
    ...COMPACT,
  })),
  {
    // Two entries of one instance: what verify checks is what runs.
    entryPoints: [
      { in: "src/index.ts", out: "browser" },
      { in: "src/verify.ts", out: "verify-browser" },
    ],
    outdir: "dist",
    splitting: true,
    plugins: [replacing(NO_ADDON)],
    chunkNames: "browser-[hash]",
  },
  {
    entryPoints: [
      { in: "src/index.ts", out: "workerd" },
      { in: "src/verify.ts", out: "verify-workerd" },
    ],
    outdir: "dist",
    splitting: true,
    plugins: [replacing({ ...NO_ADDON, ...NO_WORKERS })],
    chunkNames: "workerd-[hash]",
    external: ["./batchnorm.wasm"],
  },
];

/**
 * Shortens the names inside functions. Those of classes and functions stay, since users read them in messages and stack
 * traces: esbuild takes the text between imports and exports for a script, whose names others may use.
 */
async function shortenNames(path) {
  const text = readFileSync(path, "utf8");
  const [, imports, body, exports = ""] = /^((?:#!.*\n)?(?:import[^;]*;)*)(.*?)(export\{[^}]*\};\s*)?$/s.exec(text);
  const script = body.replaceAll("import.meta.url", "IMPORT_META_URL");
  const { code } = await transform(script, { minify: true, target: COMMON.target });
  writeFileSync(path, imports + code.replaceAll("IMPORT_META_URL", "import.meta.url") + exports);
}

async function bundle(options) {
  const { metafile } = await build({ ...COMMON, ...options });
  for (const path of Object.keys(metafile?.outputs ?? {})) await shortenNames(join(root, path));
}

function emitDeclarations() {
  rmSync(declarations, { recursive: true, force: true });
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", "src"], { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error("tsc failed");
}

/** The same text for `import` and for `require`: TypeScript goes by the file's name. */
async function bundleDeclarations() {
  const input = [...ENTRIES, ...BESIDE].map((name) => join(declarations, `${name}.d.ts`));
  for (const extension of ["ts", "cts"]) {
    const bundle = await rollup({ input, plugins: [dts()] });
    await bundle.write({
      dir: dist,
      banner: ({ name }) => (name === "index" ? '/// <reference lib="esnext.disposable" />' : ""),
      entryFileNames: `[name].d.${extension}`,
      chunkFileNames: `shared.d.${extension}`,
    });
    await bundle.close();
  }
}

/** Of `batchnorm/wasm`. */
const WASM_DECLARATION =
  'import type { WasmModule } from "./index.js";\ndeclare const module: WasmModule;\nexport default module;\n';

/** Of build/batchnorm.wasm and src/backends/wasm/wasm-binary.ts, which buildWasm made. */
export async function bundlePackage() {
  rmSync(dist, { recursive: true, force: true });
  emitDeclarations();
  for (const options of BUNDLES) await bundle(options);
  chmodSync(join(dist, "cli.js"), 0o755);
  await bundleDeclarations();
  copyFileSync(join(root, "build", "batchnorm.wasm"), join(dist, "batchnorm.wasm"));
  writeFileSync(join(dist, "wasm.d.ts"), WASM_DECLARATION);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundlePackage();
