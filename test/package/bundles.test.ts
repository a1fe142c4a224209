// What bundlers make of dist/: names that survive, and what a page that needs less does not get.
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { root, runModule } from "../support/package-copy.js";

async function minified(entry: string, code: string, conditions: string[] = []): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code.replace("ENTRY", JSON.stringify(join(root, "dist", entry))), resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    external: ["node:*"],
    conditions,
  });
  return outputFiles[0]!.text;
}

describe("BatchNorm keeps its name", () => {
  const PRINT = `console.log(BatchNorm.name, String(new BatchNorm(2, { backend: "oracle" })));
    try { BatchNorm(); } catch (error) { console.log(error.message.split(" ")[2]); }`;
  const text = "BatchNorm BatchNorm(2, eps=1e-05, momentum=0.1, oracle)\n";

  test.each(["index.js", "index.cjs", "browser.js"])("in dist/%s", (file) => {
    const path = JSON.stringify(join(root, "dist", file));
    const { stdout } = runModule(
      `import * as all from ${path}; const { BatchNorm } = all.default ?? all; ${PRINT}`,
      root,
    );
    // The second line is what engines call the class in messages and stack traces.
    expect(stdout).toBe(`${text}BatchNorm\n`);
  });

  test("in a minified bundle", async () => {
    const code = await minified("browser.js", `import { BatchNorm } from ENTRY; ${PRINT}`);
    expect(runModule(code, root).stdout).toContain(text);
  });
});

test("a token of the ES module serves one backward, in whichever of the two builds", () => {
  const [esm, cjs] = ["index.js", "index.cjs"].map((file) => JSON.stringify(join(root, "dist", file)));
  const code = `import * as esm from ${esm!}; import cjs from ${cjs!};
    if (esm.batchNormBackward === cjs.batchNormBackward) throw new Error("one build");
    const x = Float32Array.of(1, 2, 3, 5), dy = Float32Array.of(1, 0, 2, 4), sampleWeights = [1, 2, 0.5, 1];
    const results = [[esm, cjs], [cjs, esm], [esm, esm]].map(([first, second]) => {
      const { saved } = first.batchNormTraining(x, [4, 1], { sampleWeights });
      const { gradInput } = second.batchNormBackward(dy, saved);
      const codes = [first, second].map(({ batchNormBackward }) => {
        try { batchNormBackward(dy, saved); } catch ({ code }) { return code; }
      });
      return JSON.stringify([[...gradInput], codes]);
    });
    console.log(new Set(results).size, results[0]);`;
  const { stdout, stderr } = runModule(code, root);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^1 \[\[.*\],\["ERR_BATCHNORM_SAVED","ERR_BATCHNORM_SAVED"\]\]\n$/);
});

describe("a minified bundle for pages", () => {
  test("of the layer is as small as docs/bundlers-and-edge.md says", async () => {
    const code = await minified("browser.js", "import { BatchNorm } from ENTRY; globalThis.it = BatchNorm;");
    expect(gzipSync(code, { level: 9 }).length).toBeLessThan(75 * 1024);
  });

  test("of files has the layer of the page's own build, and no other", async () => {
    const code = `import { BatchNorm } from "batchnorm"; import { load, save } from "batchnorm/safetensors";
      const layer = await load(save(new BatchNorm(2, { backend: "oracle" })), "", { backend: "oracle" });
      console.log(layer instanceof BatchNorm);`;
    const bundle = await minified("", code, ["browser"]);
    expect(runModule(bundle, root).stdout).toBe("true\n");
    expect(bundle).not.toContain("dlopen");
  });

  test("of folding has neither the layer nor files nor a backend", async () => {
    const bundle = await minified("fold.js", "import { foldIntoConv } from ENTRY; globalThis.it = foldIntoConv;");
    for (const word of ["WebAssembly", "safetensors", "Float16Array.prototype", "forward"])
      expect(bundle).not.toContain(word);
    expect(gzipSync(bundle, { level: 9 }).length).toBeLessThan(6.75 * 1024);
  });

  test("of inference alone has neither the layer nor the converters", async () => {
    const code = "import { batchNormInference } from ENTRY; globalThis.it = batchNormInference;";
    const bundle = await minified("browser.js", code);
    for (const word of ["loadStateDict", "num_batches_tracked", "moving_mean", "nodejs.util.inspect"])
      expect(bundle).not.toContain(word);
  });
});
