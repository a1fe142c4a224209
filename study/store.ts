// The results on disk: for every experiment a file of JSON lines, one for each point. A file is written under another name
// and then renamed, so a run that is killed leaves each file as it was before or after a point, and never half of it.
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { idOf, keyOf, type Planned } from "./experiments/plan.js";
import type { Point } from "./training/point.js";

const ENDING = ".jsonl";

function parsePoint(line: string, file: string, index: number): Point {
  try {
    return JSON.parse(line) as Point;
  } catch {
    throw new Error(`${file}: line ${index + 1} is not JSON. Remove that line, and its point is computed again`);
  }
}

function readPoints(file: string): Map<string, Point> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line, i) => parsePoint(line, file, i)).map((point) => [point.id, point]));
}

export class Store {
  constructor(readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  /** Every point in the folder, by its id. */
  all(): Map<string, Point> {
    const files = readdirSync(this.folder).filter((name) => name.endsWith(ENDING));
    return new Map(files.flatMap((name) => [...readPoints(join(this.folder, name))]));
  }

  /** Those of `plan` that are to be computed: they are absent, or were computed with other settings. */
  missing(plan: readonly Planned[]): Planned[] {
    const points = this.all();
    return plan.filter((planned) => points.get(idOf(planned))?.key !== keyOf(planned));
  }

  /** Adds the point, or puts it in the place of the one with its id. The file is read anew, so another run loses nothing. */
  save(experiment: string, point: Point): void {
    const file = join(this.folder, `${experiment}${ENDING}`);
    const points = readPoints(file).set(point.id, point);
    const ids = [...points.keys()].sort();
    const temporary = `${file}.${process.pid}.tmp`;
    writeFileSync(temporary, ids.map((id) => `${JSON.stringify(points.get(id))}\n`).join(""));
    renameSync(temporary, file);
  }
}
