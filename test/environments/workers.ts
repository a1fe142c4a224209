// workerd, the runtime of Cloudflare Workers: a folder's modules behind HTTP.
import { spawn, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "./environment.js";
import { workerd } from "./runtimes.js";

/** Modules of a folder, the entry first. */
function configuration(modules: readonly string[]): string {
  const lines = modules.map((name) => {
    const kind = name.endsWith(".wasm") ? "wasm" : "esModule";
    return `    (name = "${name}", ${kind} = embed "${name}"),`;
  });
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [
${lines.join("\n")}
  ],
  compatibilityDate = "2025-09-01",
);
`;
}

/** The port that it reports on its third descriptor, once it listens. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let errors = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.on("error", reject);
    child.on("close", () => reject(new Error(`workerd ended: ${errors}`)));
    let control = "";
    child.stdio[3]!.on("data", (bytes: Buffer) => {
      const port = /"port":(\d+)/.exec((control += String(bytes)))?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
}

/** Serves modules of a folder while `use` asks. */
export async function serveWorker<T>(
  context: Context,
  folder: string,
  modules: readonly string[],
  use: (url: string) => Promise<T>,
): Promise<T> {
  const config = join(folder, "config.capnp");
  writeFileSync(config, configuration(modules));
  const child = spawn(workerd(context), ["serve", "--control-fd=3", config], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  try {
    return await use(`http://127.0.0.1:${await portOf(child)}`);
  } finally {
    child.kill();
  }
}
