// Starts worker.ts: Node's worker threads do not inherit tsx's loader, so each registers it.
import { register } from "tsx/esm/api";

register();
await import("./worker.ts");
