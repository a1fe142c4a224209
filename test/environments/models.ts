// A network that PyTorch trained, from files of every format to PyTorch's outputs, whole and folded, with the same bits in every
// runtime and on native code and WebAssembly.
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fold from "../../src/fold.js";
import * as pytorch from "../../src/pytorch.js";
import type { Context, Environment } from "./environment.js";
import { exampleOf, FORMATS, outputsOf } from "./network.js";
import { missingChromium, visit } from "./pages.js";
import { exactly, succeed } from "./programs.js";
import { bun, deno } from "./runtimes.js";

/** As PyTorch computes in float32, and the largest output is 6.3. */
const BOUND = 4e-6;

const read = (path: string): Buffer => readFileSync(new URL(`../../${path}`, import.meta.url));
const COMMITTED: Readonly<Record<string, Buffer>> = {
  "network.pt": read("test/checkpoints/pytorch/network.pt"),
  "network.safetensors": read("test/checkpoints/pytorch/network.safetensors"),
  "network.onnx": read("test/checkpoints/exported/network.onnx"),
  "network-external.onnx": read("test/checkpoints/exported/network-external.onnx"),
  "network-external.bin": read("test/checkpoints/exported/network-external.bin"),
};

const ENTRIES = ["fold", "json", "keras", "onnx", "pytorch", "safetensors"];
const IMPORTED = ENTRIES.map((name) => `import * as ${name} from "batchnorm/${name}";`).join("\n");
const PROGRAM = {
  "package.json": '{ "type": "module", "private": true }\n',
  "convolution.js": read("examples/pytorch-inference/convolution.js").toString(),
  "network.js": read("test/environments/network.js")
    .toString()
    .replace(/"\S*\/convolution\.js"/, '"./convolution.js"'),
  "modules.js": `${IMPORTED}\nexport const modules = { ${ENTRIES.join(", ")} };\n`,
  "source.js": `import { readFile } from "node:fs/promises";
export const source = (name) => readFile(new URL(name, import.meta.url));\n`,
};
const START = `import { modules } from "./modules.js";
import { report, statesOf } from "./network.js";
import { source } from "./source.js";\n`;
const MAIN = `${START}globalThis.said = await report(modules, source);\n`;

/** Writes what no other program wrote: the text and the file of Keras. */
const CONVERT = `${START}import { writeFile } from "node:fs/promises";
const statesFor = (nameOf) => statesOf(modules, source, nameOf);
await writeFile("network.json", modules.json.save(await statesFor((name) => name)));
await writeFile("network.weights.h5", await modules.keras.save(await statesFor((name) => name.replace(".", "/"))));\n`;

/** A folder with the program, the package, the one that reads HDF5, and files. */
function folderWith(
  context: Context,
  files: Readonly<Record<string, Buffer>>,
  more: Readonly<Record<string, string>>,
): string {
  const folder = context.folder({ ...PROGRAM, ...more });
  const library = join(context.tools("h5wasm", ["h5wasm@0.10.3"]), "node_modules", "h5wasm");
  symlinkSync(library, join(folder, "node_modules", "h5wasm"));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return folder;
}

async function convert(context: Context): Promise<Readonly<Record<string, Buffer>>> {
  const cwd = folderWith(context, COMMITTED, { "convert.js": CONVERT });
  await succeed(context, process.execPath, ["convert.js"], { cwd });
  const written = ["network.json", "network.weights.h5"].map((name) => [name, readFileSync(join(cwd, name))] as const);
  return { ...COMMITTED, ...Object.fromEntries(written) };
}

const converted = new WeakMap<Context, Promise<Readonly<Record<string, Buffer>>>>();
function filesOf(context: Context): Promise<Readonly<Record<string, Buffer>>> {
  if (!converted.has(context)) converted.set(context, convert(context));
  return converted.get(context)!;
}

interface Outputs {
  readonly backend: string;
  readonly whole: readonly number[];
  readonly folded: readonly number[];
}
interface Said {
  readonly formats: Readonly<Record<string, Outputs>>;
  readonly output: readonly number[];
}

/** What plain JavaScript makes of PyTorch's own file. */
async function expectedOutputs(): Promise<Outputs> {
  const source = (name: string): Buffer => COMMITTED[name]!;
  const { input } = await exampleOf({ pytorch }, source);
  return await outputsOf({ pytorch, fold }, "pytorch", source, input, { backend: "oracle" });
}

async function check(said: string, backend: RegExp): Promise<string> {
  const { formats, output } = JSON.parse(said) as Said;
  const expected = await expectedOutputs();
  const names = Object.keys(FORMATS);
  for (const name of names) {
    const outputs = formats[name];
    if (!outputs || !backend.test(outputs.backend)) throw new Error(`${name}: not on ${backend}: ${said}`);
    for (const way of ["whole", "folded"] as const)
      if (JSON.stringify(outputs[way]) !== JSON.stringify(expected[way]))
        throw new Error(`${name}, ${way}: other bits than plain JavaScript's: ${said}`);
  }
  const [whole, folded] = [expected.whole, expected.folded].map((values) =>
    Math.max(...values.map((value, i) => Math.abs(value - output[i]!))),
  ) as [number, number];
  if (!(whole < BOUND && folded < BOUND)) throw new Error(`not PyTorch's outputs: ${said}`);
  const differences = `${whole.toExponential(0)}, folded by ${folded.toExponential(0)}`;
  return `${formats[names[0]!]!.backend}: ${names.length} formats, the same bits; PyTorch differs by ${differences}`;
}

interface Runtime {
  readonly command: (context: Context) => string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly backend: (context: Context) => RegExp;
}

async function runProgram(context: Context, { command, args = [], env, backend }: Runtime): Promise<string> {
  const cwd = folderWith(context, await filesOf(context), { "main.js": `${MAIN}console.log(said);\n` });
  const said = await succeed(context, command(context), [...args, "main.js"], { cwd, ...(env && { env }) });
  return check(said, backend(context));
}

const pathOf = (name: string): string =>
  `/node_modules/batchnorm/dist/${name === "batchnorm" ? "browser" : name.replace("batchnorm/", "")}.js`;
const NAMES = ["batchnorm", ...ENTRIES.map((name) => `batchnorm/${name}`)];
const IMPORTS = {
  ...Object.fromEntries(NAMES.map((name) => [name, pathOf(name)])),
  h5wasm: "/node_modules/h5wasm/dist/esm/hdf5_hl.js",
};
const PAGE = `<!doctype html><title>page</title>
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module" src="main.js"></script>`;

async function runPage(context: Context): Promise<string> {
  const folder = folderWith(context, await filesOf(context), {
    "main.js": MAIN,
    "page.html": PAGE,
    "source.js": "export const source = (name) => new URL(name, import.meta.url);\n",
  });
  return check(await visit(context, folder, "page.html"), exactly("wasm"));
}

const native = ({ native: best }: Context): RegExp => exactly(best);
const own = (): string => process.execPath;
const RUNTIMES: Readonly<Record<string, Runtime>> = {
  Node: { command: own, backend: native },
  "Node on WebAssembly": { command: own, env: { BATCHNORM_BACKEND: "wasm" }, backend: () => exactly("wasm") },
  Deno: { command: deno, args: ["run", "-A"], env: { DENO_NO_UPDATE_CHECK: "1" }, backend: native },
  Bun: { command: bun, backend: native },
};

export const environments: readonly Environment[] = [
  ...Object.entries(RUNTIMES).map(([name, runtime]) => ({
    name: `files of every format, ${name}`,
    run: (context: Context) => runProgram(context, runtime),
  })),
  { name: "files of every format, Chromium", missing: missingChromium, run: runPage },
];
