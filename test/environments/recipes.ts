// README's recipes, as they stand there.
import { readFileSync } from "node:fs";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

/** The block of code that begins with the comment "// NAME". */
export function recipe(name: string): string {
  const blocks = [...readme.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code!);
  const block = blocks.find((code) => code.startsWith(`// ${name}\n`));
  if (block === undefined) throw new Error(`README has no block "// ${name}"`);
  return block;
}
