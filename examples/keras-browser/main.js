// The same in Node: prints the same numbers as the page, and writes tuned.weights.h5.
import { readFile, writeFile } from "node:fs/promises";
import { finetune } from "./train.js";

const here = (name) => new URL(name, import.meta.url);
const bytes = await finetune(await readFile(here("model.weights.h5")), console.log);
await writeFile(here("tuned.weights.h5"), bytes);
console.log(`tuned.weights.h5 written, ${bytes.length} bytes`);
