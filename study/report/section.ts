// A part of the report: one experiment, as text, tables and pictures that HTML and Markdown are made of.
import type { Cells } from "../../scripts/tools/page.js";

export interface Picture {
  /** The SVG file's name without its ending. */
  readonly name: string;
  readonly svg: string;
  readonly caption: string;
}

export interface Section {
  readonly title: string;
  /** What is claimed, and by whom. */
  readonly claim: string;
  /** What was done. */
  readonly done: string;
  /** What the numbers say. */
  readonly verdicts: readonly string[];
  readonly tables: readonly Cells[];
  readonly pictures: readonly Picture[];
}
