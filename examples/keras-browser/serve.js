// Serves this folder, so that a browser can open the page: http://localhost:8080
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript" };

const server = createServer(async (request, response) => {
  try {
    // An absolute path without "..", so that nothing outside of the folder is served.
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    const name = path === "/" ? "index.html" : path;
    const bytes = await readFile(join(folder, name));
    response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" }).end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});

server.listen(process.env.PORT ?? 8080, "127.0.0.1", () => {
  console.log(`open http://localhost:${server.address().port}`);
});
