// A step of a divided call: the coefficients that its shares take for granted, and the shares as words in the memory.
import { affineCoefficients, gradCoefficients, invStds } from "../../kernels/coefficients.js";
import { columnsOf, type Control } from "../../kernels/control.js";
import { SCRATCH, SCRATCH_PAD, STATES } from "../../kernels/layout.js";
import { KERNELS, OPERANDS, operandOf, type KernelName, type OperandName } from "../../kernels/operands.js";
import { PAGE, bytesOf } from "./instance.js";
import { Output, Sums, type Share, type Step } from "./shares.js";
import { SHARE_BYTES } from "./worker/messages.js";
import { MOST_SHARES } from "./worker/seats.js";

/** Bytes for an instance: its own data, and states and scratch of some 9000 columns. Pages that are not used take no memory. */
export const INSTANCE_BYTES = 16 * PAGE;
/** Bytes for the shares of a step. */
export const SHARES_BYTES = MOST_SHARES * SHARE_BYTES;
/** For each column of every group: mean, m2 and count, or S, U and nothing. */
export const GROUP_BYTES = 24;

/** Columns that fit behind an instance's own data. */
export function mostColumns(ownBytes: number): number {
  const values = Math.floor((INSTANCE_BYTES - ownBytes - 16) / 8);
  return Math.floor((values - SCRATCH * SCRATCH_PAD) / (STATES + SCRATCH));
}

/** The coefficients of a step whose shares do not make them, because none has all values of a channel. */
export function prepare(control: Control, kernel: KernelName, { sums, output, part, groups }: Step): void {
  if (part !== 0 && groups === 0) return;
  if (output === Output.y) invStds(control);
  if (output !== Output.kept && sums !== Sums.moments) affineCoefficients(control);
  if (output === Output.dx && kernel === "backward") gradCoefficients(control);
}

/** The operands, in the order of a share. */
const NAMES = Object.keys(OPERANDS) as OperandName[];

/** What every share of a call begins with. The control block is at `address`, sums of groups are left at `groups`. */
export function wordsOf(
  control: Control,
  address: number,
  kernel: KernelName,
  { sums, output, part }: Pick<Step, "sums" | "output" | "part">,
  pointers: readonly number[],
  groups: number,
): number[] {
  const operands = new Array<number>(NAMES.length).fill(0);
  KERNELS[kernel].operands.forEach((entry, i) => (operands[NAMES.indexOf(operandOf(entry).name)] = pointers[i] ?? 0));
  const columns = columnsOf(control.extent, control.traversal);
  return [address, bytesOf(control), sums, output, part, groups, columns, ...operands];
}

/** The words of a share that are its own. */
function boxOf(control: Control, { o, c, i, extent, group, groupEnd }: Share): number[] {
  const { channels, inner } = control.extent;
  const size = bytesOf(control);
  const at = ((o * channels + c) * inner + i) * size;
  return [extent.outer, extent.channels, extent.inner, c, at, (o * inner + i) * size, group, groupEnd];
}

/** Writes shares that begin alike, one after another. */
export function writeShares(
  words: Uint32Array,
  common: readonly number[],
  control: Control,
  shares: readonly Share[],
): void {
  shares.forEach((share, i) => {
    const at = (i * SHARE_BYTES) / 4;
    words.set(common, at);
    words.set(boxOf(control, share), at + common.length);
  });
}
