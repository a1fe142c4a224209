// Other CPUs, under QEMU: the instruction set chosen there, and the training's bits. scripts/check/emulate.mjs checks every
// kernel on them; here it is the package as it is installed.
import { existsSync } from "node:fs";
import { ARM_LIBRARIES, CPUS } from "../../scripts/check/emulated-cpus.mjs";
import { shown, trainingProgram, Unavailable, type Context, type Environment, type Expected } from "./environment.js";
import { ships, trains } from "./programs.js";
import { armNode } from "./runtimes.js";

const TIMEOUT_MS = 300_000;

async function emulated(
  context: Context,
  command: readonly [string, ...string[]],
  expected: (folder: string) => Omit<Expected, "hash">,
): Promise<string> {
  const [emulator] = command;
  const found = await context.run(emulator, ["--version"]).catch(() => ({ status: 1 }));
  if (found.status !== 0) throw new Unavailable(`no ${emulator} on the PATH`);
  const cwd = context.folder({ "program.mjs": trainingProgram() });
  const wanted = expected(cwd);
  const report = await trains(context, [...command, "program.mjs"], wanted, { cwd, timeoutMs: TIMEOUT_MS });
  return shown(report, wanted.reason);
}

const x64 = (cpu: keyof typeof CPUS, backend: RegExp, reason: RegExp): Environment => ({
  name: `QEMU ${cpu}`,
  missing: ({ native }) => (/^native\/(avx|sse)/.test(native) ? null : "no addon was built for x86-64"),
  run: (context) =>
    emulated(context, ["qemu-x86_64-static", "-cpu", CPUS[cpu], process.execPath], () => ({ backend, reason })),
});

export const environments: readonly Environment[] = [
  x64("Nehalem", /^native\/sse2$/, /no AVX2/),
  x64("Haswell", /^native\/avx2$/, /no AVX-512/),
  {
    name: "QEMU arm64",
    missing: () => (existsSync(ARM_LIBRARIES) ? null : `no ${ARM_LIBRARIES}`),
    run: (context) =>
      emulated(context, ["qemu-aarch64-static", "-L", ARM_LIBRARIES, armNode(context)], (folder) =>
        ships(folder, "linux-arm64/batchnorm.glibc")
          ? { backend: /^native\/neon$/ }
          : { backend: /^wasm$/, reason: /does not exist/ },
      ),
  },
];
