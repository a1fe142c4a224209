// The tests that Stryker runs: those of the façade, without those that take processes of their own or are long and say little
// of it. Each is run hundreds of times.
import { defineConfig } from "vitest/config";
import base from "../../../vitest.config.js";

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ["test/{arguments,layer}/*.test.ts", "test/functional/functional.test.ts"],
    exclude: ["test/layer/debug.test.ts"],
    // Half the time is else that of loading: no module of the façade keeps anything that a change to it could spoil.
    isolate: false,
    testTimeout: 60_000,
  },
});
