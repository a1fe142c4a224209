import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  // The example imports the package by its name: in tests that is the source.
  resolve: {
    alias: [
      { find: /^batchnorm$/, replacement: pathOf("./src/index.ts") },
      { find: /^batchnorm\/(sync|mpi)$/, replacement: pathOf("./src/$1.ts") },
      // Installed at first use: see test/checkpoints/hdf5-package.ts.
      { find: /^h5wasm$/, replacement: pathOf("./test/checkpoints/packages/node_modules/h5wasm/dist/esm/hdf5_hl.js") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/seed.ts",
    // Verbose: every backend that is skipped is named, with its reason.
    reporters: ["verbose"],
    // A process each: native threads and WASM memories of one file leave the others alone.
    pool: "forks",
    maxWorkers: 2,
    // Some build the addon, sixteen times over, beside another file.
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
});
