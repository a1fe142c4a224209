// Bundlers, each of a fixed version.
import { join } from "node:path";
import type { Context } from "./environment.js";

const BUNDLERS = [
  "esbuild@0.28.2",
  "@esbuild/linux-x64@0.28.2",
  "rollup@4.68.8",
  "@rollup/plugin-node-resolve@16.0.3",
  "vite@7.3.8",
  "webpack@5.112.2",
  "webpack-cli@6.0.1",
];

/** The folder of their commands. */
export const bundlers = (context: Context): string => join(context.tools("bundlers", BUNDLERS), "node_modules", ".bin");
