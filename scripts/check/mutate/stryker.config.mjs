// npm run mutate: changes one operator, condition, text or statement of the façade at a time, and sees whether a test
// notices. On demand, since it runs the tests thousands of times; docs/proof.md has what it printed last.
//
//     npm run mutate                                        # what takes at most 10 minutes on two cores
//     npm run mutate -- --mutate 'src/engine/**/*.ts'       # another part

/** @type {import("@stryker-mutator/api/core").PartialStrykerOptions} */
export default {
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "scripts/check/mutate/vitest.config.ts", related: false },
  mutate: ["src/arguments/{accumulate,forward}.ts", "src/layer/{config,mode}.ts", "src/values/{activation,need}.ts"],
  // A copy of the project, without what was built beside the addon and without what no test of these reads.
  tempDirName: "build/mutate",
  ignorePatterns: ["/build", "/report", "/dist", "/docs", "/bench", "/examples", "/native/build"],
  reporters: ["clear-text", "progress", "json"],
  jsonReporter: { fileName: "build/mutate/report.json" },
  clearTextReporter: { allowColor: false, allowEmojis: false, reportTests: false },
  disableTypeChecks: false,
  coverageAnalysis: "perTest",
  // What runs while modules load only: seeing these would take all tests for each.
  ignoreStatic: true,
  concurrency: 2,
  timeoutMS: 20_000,
  dryRunTimeoutMinutes: 15,
};
