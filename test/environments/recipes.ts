// The recipes of docs/bundlers-and-edge.md, as they stand there.
import { readFileSync } from "node:fs";

const page = readFileSync(new URL("../../docs/bundlers-and-edge.md", import.meta.url), "utf8");

function block(language: string, start: string): string {
  const blocks = [...page.matchAll(/```(\w+)\n([^]*?)```/g)].filter(([, name]) => name === language);
  const code = blocks.map(([, , text]) => text!).find((text) => text.startsWith(start));
  if (code === undefined) throw new Error(`docs/bundlers-and-edge.md has no block "${start}"`);
  return code;
}

/** The code that begins with the comment "// NAME". */
export const recipe = (name: string): string => block("js", `// ${name}\n`);

/** The shell commands that begin with the comment "# NAME". */
export const commands = (name: string): string => block("sh", `# ${name}\n`);
