// Makes dist/ of src/: bundles for each kind of runtime, since some 40 modules take Node 20 ms more to load than a few,
// and one declaration file for each entry, as ESM and as CommonJS.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "dist");
const declarations = join(root, "build", "types");

/** What users import, each with declarations. */
const ENTRIES = ["index", "math", "verify"];
/** Modules that stay files of their own for Node: binaries.js asks for files beside it, wasm-binary.js is large. */
const APART = { binaries: "src/binaries.ts", "wasm-binary": "src/backends/wasm/wasm-binary.ts" };

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

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

/** From any folder of src/: in dist/ all are in one. */
const leavingApart = {
  name: "leaving-apart",
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`/(${Object.keys(APART).join("|")})\\.js$`) }, ({ path }) => ({
      path: `./${basename(path)}`,
      external: true,
    }));
  },
};

/** Also imported by users: one build for every runtime, which takes the layer from the package's main entry. */
const BESIDE = ["fold", "json", "safetensors"];

/** By the package's own name: the conditions of `exports` pick the same build that the user's import gets. */
const layerOfPackage = {
  name: "layer-of-package",
  setup({ onResolve }) {
    onResolve({ filter: /\/layer\/batch-norm\.js$/ }, () => ({ path: "batchnorm", external: true }));
  },
};

/** What stands in for import.meta.url; and for what a bare realm of node:vm has not, whose `require` is Node's. */
const COMMONJS_BANNER = `
const requiredProcess = require("node:process");
const { URL, pathToFileURL } = require("node:url");
const importMetaUrl = pathToFileURL(__filename).href;`;

const NO_ADDON = { "backends/native/native.js": "backends/native/native-absent.ts" };

/** Every bundle: what its runtime has no use for is not in it. */
const BUNDLES = [
  {
    entryPoints: [
      ...ENTRIES.map((name) => ({ in: `src/${name}.ts`, out: name })),
      ...Object.entries(APART).map(([out, file]) => ({ in: file, out })),
      { in: "src/cli/main.ts", out: "cli" },
    ],
    outdir: "dist",
    splitting: true,
    plugins: [leavingApart],
    external: ["node:*"],
    define: { PACKAGE_VERSION: JSON.stringify(version) },
    chunkNames: "shared-[hash]",
  },
  ...ENTRIES.map((name) => ({
    entryPoints: [`src/${name}.ts`],
    outfile: `dist/${name}.cjs`,
    format: "cjs",
    define: { "import.meta.url": "importMetaUrl" },
    ...(name !== "math" && {
      banner: { js: COMMONJS_BANNER },
    }),
  })),
  {
    entryPoints: BESIDE.map((name) => ({ in: `src/${name}.ts`, out: name })),
    outdir: "dist",
    splitting: true,
    plugins: [layerOfPackage],
    chunkNames: "beside-[hash]",
  },
  ...BESIDE.map((name) => ({
    entryPoints: [`src/${name}.ts`],
    outfile: `dist/${name}.cjs`,
    format: "cjs",
    plugins: [layerOfPackage],
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
    plugins: [
      replacing({ ...NO_ADDON, "backends/wasm/packaged-module.js": "backends/wasm/packaged-module-static.ts" }),
    ],
    chunkNames: "workerd-[hash]",
    external: ["./batchnorm.wasm"],
  },
];

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
  for (const options of BUNDLES) await build({ ...COMMON, ...options });
  chmodSync(join(dist, "cli.js"), 0o755);
  await bundleDeclarations();
  copyFileSync(join(root, "build", "batchnorm.wasm"), join(dist, "batchnorm.wasm"));
  writeFileSync(join(dist, "wasm.d.ts"), WASM_DECLARATION);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundlePackage();
