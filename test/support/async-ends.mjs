// A worker thread that runs TypeScript.
import { register } from "tsx/esm/api";

register();
await import("./async-ends.ts");
