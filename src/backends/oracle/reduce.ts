// Clause 3 of the contract, executable: blocks are summed up in order within their group, groups in order within their
// column, and the columns of a channel in order.
import { columnsOf, type Control } from "../../kernels/control.js";
import { GROUP, Traversal } from "../../kernels/layout.js";
import { blocksOf, type Block } from "./blocks.js";

/** What a kernel sums: `T` is the state of a column, such as its moments. */
export interface Summation<T> {
  /** The state of a column of no values. */
  readonly empty: T;
  /** State `a`, continued by `b`. */
  readonly merge: (a: T, b: T) => T;
  /** Adds a block to the open groups of its columns. */
  readonly addBlock: (block: Block, groups: T[]) => void;
}

/** The states of all columns by groups, in order: what `reduce` merges. */
export function statesByGroup<T>(control: Control, { empty, addBlock }: Omit<Summation<T>, "merge">): T[][] {
  const { extent, traversal } = control;
  const columns = columnsOf(extent, traversal);
  const groups: T[][] = [];
  const passes = traversal === Traversal.planes ? extent.channels : 1;
  for (let channel = 0; channel < passes; channel++) {
    let number = 0;
    for (const block of blocksOf(control, channel)) {
      addBlock(block, (groups[Math.floor(number / GROUP)] ??= new Array<T>(columns).fill(empty)));
      number++;
    }
  }
  return groups;
}

/** The state of every channel. */
export function reduce<T>(control: Control, { empty, merge, addBlock }: Summation<T>): T[] {
  const { extent, traversal } = control;
  const columns = columnsOf(extent, traversal);
  const groups = new Array<T>(columns).fill(empty);
  const totals = groups.slice();
  const closeGroups = ({ column, columns }: Block): void => {
    for (let at = column; at < column + columns; at++) {
      totals[at] = merge(totals[at]!, groups[at]!);
      groups[at] = empty;
    }
  };
  // In the planes traversal the blocks of one channel after the other, otherwise those of all columns at once.
  const passes = traversal === Traversal.planes ? extent.channels : 1;
  for (let channel = 0; channel < passes; channel++) {
    let number = 0;
    for (const block of blocksOf(control, channel)) {
      if (number > 0 && number % GROUP === 0) closeGroups(block);
      addBlock(block, groups);
      number++;
    }
  }
  const perChannel = columns / extent.channels;
  const states: T[] = [];
  for (let channel = 0, at = 0; channel < extent.channels; channel++) {
    let state = empty;
    for (const end = at + perChannel; at < end; at++) state = merge(state, merge(totals[at]!, groups[at]!));
    states.push(state);
  }
  return states;
}
