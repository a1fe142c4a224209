// Writes the figures of docs/sync-scale.md: what calls send, what other cuts change, and merging over many ranks.
// npx tsx scripts/docs/sync-figures.ts
import { readFileSync, writeFileSync } from "node:fs";
import { LAYERS } from "../../bench/peers/resnet50.js";
import { markdownTable } from "../../bench/report/table.js";
import type { Cells } from "../tools/page.js";
import { bytesOfStep, countedStep, differencesOfCut } from "./sync-cost.js";
import { scaleRows } from "./sync-simulation.js";

const PAGE = new URL("../../docs/sync-scale.md", import.meta.url);

/** Replaces what is between the two marks of a table. */
function put(text: string, name: string, table: string): string {
  const [begin, end] = [`<!-- ${name}: written by scripts/docs/sync-figures.ts -->`, `<!-- end of ${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/sync-scale.md has no marks of ${name}`);
  return `${text.slice(0, from)}${begin}\n\n${table}\n\n${text.slice(to)}`;
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;

async function costTable(): Promise<Cells> {
  const rows: string[][] = [];
  for (const exact of [true, false]) {
    const counted = await countedStep(8, exact);
    const formula = bytesOfStep(8, exact);
    const large = bytesOfStep(32, exact);
    const name = exact ? "`exact: true`" : "`exact: false`";
    rows.push([
      name,
      String(formula.gathers),
      kilobytes(formula.bytes),
      String(counted.gathers),
      kilobytes(counted.bytes),
      kilobytes(large.bytes),
    ]);
  }
  const head = [
    "a step of 53 layers",
    "gathers by the formula",
    "sent by a rank",
    "gathers counted",
    "counted",
    "32 samples, by the formula",
  ];
  return { head, rows };
}

async function cutTable(): Promise<Cells> {
  const shapes = LAYERS.map(({ shape }) => shape).filter(([, channels = 0, size = 0]) => size <= 56 && channels <= 512);
  const rows: string[][] = [];
  for (const shape of shapes) {
    const { changed, largest, variance } = await differencesOfCut([...shape], 4);
    rows.push([
      shape.join("×"),
      `${(100 * changed).toFixed(4)} %`,
      largest.toExponential(1),
      variance.toExponential(1),
    ]);
  }
  return {
    head: ["batch, over 4 ranks", "outputs with other bits", "largest difference", "of the batch's variance"],
    rows,
  };
}

let text = readFileSync(PAGE, "utf8");
console.log("cost");
text = put(text, "cost", markdownTable(await costTable()));
console.log("cuts");
text = put(text, "cuts", markdownTable(await cutTable()));
console.log("scale");
text = put(text, "scale", markdownTable(scaleRows()));
writeFileSync(PAGE, text);
