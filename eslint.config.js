// Lint rules: typescript-eslint's type-checked set; warnings are errors (npm run lint).
import js from "@eslint/js";
import { createTypeScriptImportResolver } from "eslint-import-resolver-typescript";
import importX from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

/** The floors of the house, lowest first. A folder may import what lies below it, never its own floor's other rooms. */
const FLOORS = [
  ["src/base"],
  ["src/kernels"],
  ["src/values", "src/backends"],
  ["src/engine"],
  ["src/policies"],
  ["src/arguments"],
  ["src/layer", "src/functional"],
  ["src/checkpoints", "src/folding", "src/operators", "src/adapters", "src/sync"],
  ["src/mpi"],
  ["src/verify"],
  ["src/cli"],
  ["bench", "test", "scripts", "examples", "site", "study"],
];

/** Rooms above src/ may import one another. */
const ROOMS = FLOORS.slice(0, -1);

/** For every room: the rooms that it must not import. */
const ZONES = ROOMS.flatMap((rooms, floor) =>
  rooms.map((room) => ({
    target: `./${room}`,
    from: FLOORS.slice(floor)
      .flat()
      .filter((other) => other !== room)
      .map((other) => `./${other}`),
    message: "Imports go down: see the floors in eslint.config.js.",
  })),
);

export default tseslint.config(
  {
    ignores: [
      "dist/",
      "build/",
      "report/",
      "assembly/",
      "src/backends/wasm/wasm-binary.ts",
      "src/backends/wasm/worker-source.ts",
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.js"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/explicit-function-return-type": ["error", { allowExpressions: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",

      eqeqeq: "error",
    },
  },
  {
    // Directions, and no import cycles anywhere.
    files: ["**/*.ts", "**/*.mjs"],
    plugins: { "import-x": importX },
    settings: {
      ...importX.flatConfigs.typescript.settings,
      "import-x/resolver-next": [createTypeScriptImportResolver()],
    },
    rules: {
      "import-x/no-cycle": ["error", { ignoreExternal: true }],
      "import-x/no-restricted-paths": ["error", { zones: ZONES }],
    },
  },
  {
    // The package loads in browsers: Node's globals stand where their absence is handled.
    files: ["src/**/*.ts"],
    ignores: ["src/binaries.ts", "src/backends/native/native.ts", "src/base/environment.ts", "src/cli/*.ts"],
    rules: { "no-restricted-globals": ["error", "process", "Buffer", "global", "require", "__dirname"] },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { globals: { console: "readonly", process: "readonly", URL: "readonly", Buffer: "readonly" } },
    rules: { ...tseslint.configs.disableTypeChecked.rules, "@typescript-eslint/explicit-function-return-type": "off" },
  },
  {
    files: ["examples/page-worker/*.js", "test/examples/page-worker-*.js"],
    languageOptions: {
      globals: Object.fromEntries(
        [
          "addEventListener",
          "crossOriginIsolated",
          "crypto",
          "document",
          "getComputedStyle",
          "navigator",
          "performance",
          "postMessage",
          "requestAnimationFrame",
          "setTimeout",
        ].map((name) => [name, "readonly"]),
      ),
    },
  },
);
