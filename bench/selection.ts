// --only: words, each of one category; a case is timed where it has one of the words of every category named.
import { backends } from "batchnorm";
import { shapes, type Operation } from "./shapes.js";
import { DATA } from "./timed-data.js";

/** `forward+read` is a forward and a pass that reads y: streaming stores leave that to the next reader. */
export type TimedOperation = Operation | "forward+read";
export const TIMED: readonly TimedOperation[] = ["forward", "forward+read", "inference", "backward"];

/** What a call is given beside its tensors: nothing, an activation, or a weight for each sample. */
export const VARIANTS = ["plain", "leaky-relu", "weights"] as const;
export type Variant = (typeof VARIANTS)[number];

/** Where a call's arrays are: anywhere, or in an arena of createArena, which matters to WASM alone. */
export const MEMORIES = ["ordinary", "arena"] as const;
export type Memory = (typeof MEMORIES)[number];

/** What a word may be. */
export const SELECTABLE = {
  op: TIMED,
  shape: shapes.map(({ name }) => name),
  layout: ["channels-first", "channels-last"],
  backend: backends().map(({ name }) => name as string),
  data: DATA,
  /** What is timed beside the shapes: costs that no tensor causes, and a sweep over sizes. */
  extra: ["fixed", "sizes"],
} as const satisfies Record<string, readonly string[]>;
export type Category = keyof typeof SELECTABLE;

/** The values wanted of each category; all in those that are absent. */
export type Selection = { readonly [Key in Category]?: readonly string[] };

/** "native" is every native/…, "forward" also forward+read. */
function means(word: string, value: string): boolean {
  const [a, b] = [word.toLowerCase(), value.toLowerCase()];
  return b === a || b.startsWith(`${a}/`) || b.startsWith(`${a}+`);
}

export function readSelection(words: readonly string[]): { selection: Selection; unknown?: string } {
  const selection: { [Key in Category]?: string[] } = {};
  for (const word of words) {
    let found = false;
    for (const category of Object.keys(SELECTABLE) as Category[]) {
      const values = SELECTABLE[category].filter((value) => means(word, value));
      if (values.length > 0) (selection[category] ??= []).push(...values);
      found ||= values.length > 0;
    }
    if (!found) return { selection, unknown: word };
  }
  return { selection };
}

export function allows(selection: Selection, category: Category, value: string): boolean {
  return selection[category]?.includes(value) ?? true;
}

export function isWhole(selection: Selection): boolean {
  return Object.keys(selection).length === 0;
}

/** Fixed costs belong to a whole run, or are named. */
export function wantsFixed(selection: Selection): boolean {
  return isWhole(selection) || (selection.extra?.includes("fixed") ?? false);
}

/** Where an extra is named, shapes are timed only if one of them is named too. */
export function wantsShapes(selection: Selection): boolean {
  return selection.extra === undefined || selection.shape !== undefined;
}
