// TensorFlow.js on its GPU backends in Chromium, which has WebGL and WebGPU in software.
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { installedPackages, installTensorflow } from "../adapters/tensorflow.js";
import { Unavailable, type Context, type Environment } from "./environment.js";
import { missingChromium, visit } from "./pages.js";

const IMPORTS = {
  batchnorm: "/node_modules/batchnorm/dist/browser.js",
  "batchnorm/tfjs": "/node_modules/batchnorm/dist/tfjs.js",
};

interface Gpu {
  readonly backend: "webgl" | "webgpu";
  readonly scripts: readonly string[];
  /** Of Chromium. */
  readonly flags: readonly string[];
  readonly report: "reportSynchronous" | "reportAsynchronous";
}

const WEBGL: Gpu = {
  backend: "webgl",
  scripts: ["@tensorflow/tfjs/dist/tf.min.js"],
  flags: ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
  report: "reportSynchronous",
};
const WEBGPU: Gpu = {
  backend: "webgpu",
  scripts: [...WEBGL.scripts, "@tensorflow/tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js"],
  flags: ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
  report: "reportAsynchronous",
};

const page = ({ scripts }: Gpu): string => `<!doctype html><title>page</title>
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
${scripts.map((path) => `<script src="/node_modules/${path}"></script>`).join("\n")}
<script type="module" src="main.js"></script>`;

/** A page without the GPU's interface says so. */
const main = ({ backend, report }: Gpu): string => `import { bindTfjs } from "batchnorm/tfjs";
import { ${report} } from "./tfjs-page.js";
const hasBackend = await tf.setBackend("${backend}").catch(() => false);
if (hasBackend) await tf.ready();
const text = hasBackend ? await ${report}(tf, bindTfjs(tf)) : { backend: null };
globalThis.said = JSON.stringify(text);`;

interface Said {
  readonly backend: string | null;
  readonly operation: number;
  readonly refused?: string;
  readonly training?: Readonly<
    Record<"apart" | "first" | "last" | "leaked" | "predictions" | "replaced" | "exchanged", number>
  >;
}

/** float32 on both sides: the worst of all values, as a part of the largest. */
const BOUND = 3e-5;

function check({ backend, operation, refused, training }: Said, expected: Gpu, text: string): string {
  const conditions: Readonly<Record<string, boolean>> = {
    "the backend": backend === expected.backend,
    "TensorFlow.js's results": operation < BOUND,
    "a refusal": training !== undefined || refused === "ERR_BATCHNORM_VALUE",
    "TensorFlow.js's losses": training === undefined || training.apart < 1e-5,
    "a falling loss": training === undefined || training.last < 0.7 * training.first,
    "no leak": training === undefined || training.leaked === 0,
    "both layers replaced": training === undefined || training.replaced === 2,
    "the same predictions": training === undefined || Math.max(training.predictions, training.exchanged) < BOUND,
  };
  const failed = Object.keys(conditions).filter((name) => !conditions[name]);
  if (failed.length > 0) throw new Error(`expected ${failed.join(", ")}: ${text}`);
  const shown = `${backend}: operations differ by ${operation.toExponential(0)}`;
  return training ? `${shown}, the losses of 30 steps by ${training.apart.toExponential(0)}` : `${shown}, when awaited`;
}

async function run(context: Context, gpu: Gpu): Promise<string> {
  await installTensorflow();
  const pageModule = readFileSync(new URL("tfjs-page.js", import.meta.url), "utf8");
  const folder = context.folder({ "page.html": page(gpu), "main.js": main(gpu), "tfjs-page.js": pageModule });
  symlinkSync(join(installedPackages, "@tensorflow"), join(folder, "node_modules", "@tensorflow"));
  const said = await visit(context, folder, "page.html", { flags: gpu.flags, timeoutMs: 240_000 });
  const report = JSON.parse(said) as Said;
  if (report.backend === null) throw new Unavailable(`this Chromium has no ${gpu.backend}`);
  return check(report, gpu, said);
}

export const environments: readonly Environment[] = [WEBGL, WEBGPU].map((gpu) => ({
  name: `TensorFlow.js in Chromium, ${gpu.backend}`,
  missing: missingChromium,
  run: (context) => run(context, gpu),
}));
