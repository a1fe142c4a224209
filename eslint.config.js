// Lint rules: typescript-eslint's type-checked set; warnings are errors (npm run lint).
import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "build/", "report/", "assembly/", "src/backends/wasm/wasm-binary.ts"] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.js", "*.ts"] },
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
);
