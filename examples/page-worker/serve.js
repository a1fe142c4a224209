// Serves this folder, so that a browser can open the page: http://localhost:8080. With --isolated the page is cross-origin
// isolated: then it and its worker can share memory.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const isIsolated = process.argv.includes("--isolated");
// Every response needs them, also those of the worker's scripts.
const headers = isIsolated
  ? { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" }
  : {};

const server = createServer(async (request, response) => {
  try {
    // An absolute path without "..", so that nothing outside of the folder is served.
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    const name = path === "/" ? "index.html" : path;
    const bytes = await readFile(join(folder, name));
    const type = TYPES[extname(name)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, ...headers }).end(bytes);
  } catch {
    response.writeHead(404, headers).end();
  }
});

server.listen(process.env.PORT ?? 8080, "127.0.0.1", () => {
  const state = isIsolated ? "isolated" : "not isolated";
  console.log(`open http://localhost:${server.address().port}, ${state}`);
});
