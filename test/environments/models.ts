// A network that PyTorch trained, from its file of torch.save to PyTorch's outputs, whole and folded, outside of Node.
import { readFileSync } from "node:fs";
import type { Context, Environment } from "./environment.js";
import { missingChromium, visit } from "./pages.js";
import { succeed } from "./programs.js";
import { bun, deno } from "./runtimes.js";

const folder = new URL("../../examples/pytorch-inference/", import.meta.url);
const bytes = readFileSync(new URL("network.pt", folder)).toString("base64");
const convolution = readFileSync(new URL("convolution.js", folder), "utf8");
/** The recipe's program, which reads a file beside it and prints its lines: here it has the file inside of it. */
const program = readFileSync(new URL("main.js", folder), "utf8")
  .replace('import { readFile } from "node:fs/promises";\n', "")
  .replace(/await readFile\([^;]*\)\)\)/, `Uint8Array.from(atob("${bytes}"), (c) => c.charCodeAt(0)))`)
  .replaceAll("console.log(", "say(");

/** As PyTorch computes in float32, and the largest output is 6.3. */
const BOUND = 4e-6;

function check(said: string): string {
  const differences = ["whole", "folded"].map((name) => {
    const found = new RegExp(`${name}: differs from PyTorch by ([\\d.e-]+)`).exec(said);
    if (!found || !(Number(found[1]) < BOUND)) throw new Error(`${name}: not PyTorch's outputs: ${said}`);
    return `${name} ${found[1]}`;
  });
  return `differs from PyTorch by ${differences.join(", ")}`;
}

const files = {
  "convolution.js": convolution,
  "main.js": `const said = [];\nconst say = (line) => said.push(line);\n${program}\nconsole.log(said.join("; "));`,
};

async function runProgram(context: Context, command: string, args: readonly string[]): Promise<string> {
  const cwd = context.folder({ ...files, "package.json": '{ "type": "module" }' });
  return check(await succeed(context, command, [...args, "main.js"], { cwd, env: { DENO_NO_UPDATE_CHECK: "1" } }));
}

const IMPORTS = JSON.stringify({
  imports: {
    batchnorm: "/node_modules/batchnorm/dist/browser.js",
    "batchnorm/fold": "/node_modules/batchnorm/dist/fold.js",
    "batchnorm/pytorch": "/node_modules/batchnorm/dist/pytorch.js",
  },
});

async function runPage(context: Context): Promise<string> {
  const page = `<!doctype html><title>page</title><script type="importmap">${IMPORTS}</script>
<script type="module" src="main.js"></script>`;
  const script = files["main.js"].replace("console.log(said", "globalThis.said = (said").replace('; "));', '; "));');
  return check(
    await visit(context, context.folder({ ...files, "main.js": script, "page.html": page }), "page.html", {}),
  );
}

export const environments: readonly Environment[] = [
  { name: "a file of torch.save, deno", run: (context) => runProgram(context, deno(context), ["run", "-A"]) },
  { name: "a file of torch.save, bun", run: (context) => runProgram(context, bun(context), []) },
  { name: "a file of torch.save, Chromium", missing: missingChromium, run: runPage },
];
