// The sums of a backward by the groups of the contract, before they are added. So those of a batch in parts that end where
// groups end have the bits of the whole.
import { tableOf, zeros } from "../base/arrays.js";
import { lengthOf } from "../base/check.js";
import { after, inTurn, type Later } from "../base/later.js";
import { widen } from "../base/storage.js";
import { isStoredIn16Bits, type Data, type Floats } from "../base/types.js";
import { sumsByGroup } from "../backends/oracle/grad-sums.js";
import { oracle } from "../backends/oracle/oracle.js";
import { gradSumsOf, slopeSumsOf, type GradSums } from "../engine/backward.js";
import { countingArrays } from "../engine/masked.js";
import { residualOrYOf, restore } from "../engine/restore.js";
import { Workspace } from "../engine/workspace.js";
import { affineCoefficients } from "../kernels/coefficients.js";
import { Kind, LANES } from "../kernels/layout.js";
import { slopesOf, type CheckedActivation } from "../values/activation.js";
import { sizeOf, type Saved } from "../values/saved.js";
import { hasGroupsInRuns, hasGroupsOfRows, piecesOf, segmentsOf, type Piece, type WorkspaceFor } from "./pieces.js";

/** The sums of columns, or those behind the gradients of the slopes of a PReLU. */
type SumsOf = (workspace: Workspace, token: Saved, dy: Data) => Later<GradSums>;

/** A table with each element `each` times. */
function repeated(table: Float64Array, each: number): Float64Array {
  const all = zeros(table.length * each);
  for (let i = 0; i < all.length; i++) all[i] = table[Math.floor(i / each)]!;
  return all;
}

/** The activation of columns: slopes of channels are those of each of their columns. */
function slopesFor(activation: CheckedActivation, of: (slopes: Float64Array) => Float64Array): CheckedActivation {
  const slopes = slopesOf(activation);
  if (!slopes || lengthOf(slopes) === 1) return activation;
  return { type: "prelu", slope: of(tableOf(slopes)) };
}

/** A token whose columns are channels, with other tables. */
function withTables(token: Saved, of: (table: Float64Array) => Float64Array): Saved {
  return {
    ...token,
    mean: of(token.mean),
    invStd: of(token.invStd),
    weight: of(token.weight),
    bias: of(token.bias),
    activation: slopesFor(token.activation, of),
  };
}

function partOf(token: Saved, of: Piece["of"]): Pick<Saved, "x" | "residualOrOutput"> {
  return { x: of(token.x), residualOrOutput: of(token.residualOrOutput) };
}

function* ofPieces(token: Saved, dy: Data, workspaceFor: WorkspaceFor, sumsOf: SumsOf): Generator<Later<GradSums>> {
  const each = token.inner < LANES ? token.inner : 1;
  const tables = each === 1 ? token : withTables(token, (table) => repeated(table, each));
  for (const { columns, of } of piecesOf(token.dtype, token, null, each))
    yield sumsOf(workspaceFor(columns, false), { ...tables, ...columns, ...partOf(token, of) }, of(dy));
}

function* ofSegments(token: Saved, dy: Data, workspaceFor: WorkspaceFor, sumsOf: SumsOf): Generator<Later<GradSums>> {
  for (const { extent, of } of segmentsOf(token)) {
    const sums = { sumG: zeros(token.channels), sumGX: zeros(token.channels) };
    const workspace = workspaceFor(extent, false);
    const ran = inTurn(Array(token.channels).keys(), (c) => {
      const channel = withTables(token, (table) => table.slice(c, c + 1));
      const part = partOf(token, (data) => of(data, c));
      return after(sumsOf(workspace, { ...channel, ...extent, ...part }, of(dy, c)), ({ sumG, sumGX }) => {
        sums.sumG[c] = sumG[0]!;
        sums.sumGX[c] = sumGX[0]!;
      });
    });
    yield after(ran, () => sums);
  }
}

/** By the oracle: slow, but the bits of every other backend. `prepare` says which sums. */
function* ofOracle(token: Saved, dy: Data, prepare: (workspace: Workspace) => void): Generator<GradSums> {
  const { dtype, x } = token;
  const workspace = new Workspace(oracle, dtype, token, false, () => undefined);
  const { control } = workspace;
  restore(control, token);
  prepare(workspace);
  affineCoefficients(control);
  const floats = (data: Data): Floats =>
    isStoredIn16Bits(dtype) ? widen(dtype, data as Uint16Array) : (data as Floats);
  const residualOrY = residualOrYOf(token);
  for (const states of sumsByGroup(control, floats(x), floats(dy), residualOrY && floats(residualOrY)))
    yield { sumG: Float64Array.from(states, ({ S }) => S), sumGX: Float64Array.from(states, ({ U }) => U) };
}

interface TokenAndGradient {
  readonly token: Saved;
  readonly dy: Data;
}

/** x and dy as they count, without masked outputs that are 0. The sums go over all positions, whatever their weights. */
function counting(token: Saved, dy: Data, workspaceFor: WorkspaceFor): Later<TokenAndGradient> {
  if (token.sampleWeights === null) return { token, dy };
  if (token.maskedOutput === "normalize") return { token: { ...token, sampleWeights: null }, dy };
  return after(countingArrays(workspaceFor(token, true), token, dy, null), (arrays) => ({
    token: { ...token, x: arrays.x, sampleWeights: null },
    dy: arrays.dy,
  }));
}

/** Which sums of a token are wanted. */
export interface WantedSums {
  readonly sumsOf: SumsOf;
  /** What the oracle's control block has besides. */
  readonly prepare: (workspace: Workspace) => void;
}

/** Those behind the gradients of x, γ and β. */
export const GRAD_SUMS: WantedSums = {
  sumsOf: gradSumsOf,
  prepare: () => undefined,
};

/** Those behind the gradients of the slopes of a PReLU: `sumG` has them, and `sumGX` has no use. */
export const SLOPE_SUMS: WantedSums = {
  sumsOf: (workspace, token, dy) =>
    after(slopeSumsOf(workspace, token, dy), (sumG) => ({ sumG, sumGX: zeros(token.channels) })),
  prepare: ({ control }) => control.set("kind", Kind.slopeGradient),
};

/**
 * Makes the sums of a backward by groups, and gives them to `use`, in order. A channel has one column, or with runs of fewer
 * than 16 values one for each of them. `isExact`: also where groups end within runs, which takes the time of plain JavaScript.
 * Otherwise several such groups come added.
 */
export function forGradSumsOfGroups(
  saved: Saved,
  gradient: Data,
  workspaceFor: WorkspaceFor,
  isExact: boolean,
  use: (sums: GradSums) => void,
  wanted = GRAD_SUMS,
): Later<void> {
  if (sizeOf(saved) === 0) return;
  return after(counting(saved, gradient, workspaceFor), (counted) =>
    // A group is asked for when the one before it is there: they share a control block.
    inTurn(groupsIn(counted, workspaceFor, isExact, wanted), (sums) => after(sums, use)),
  );
}

function groupsIn(
  { token, dy }: TokenAndGradient,
  workspaceFor: WorkspaceFor,
  isExact: boolean,
  { sumsOf, prepare }: WantedSums,
): Iterable<Later<GradSums>> {
  if (hasGroupsInRuns(token)) return ofSegments(token, dy, workspaceFor, sumsOf);
  if (hasGroupsOfRows(token) || !isExact) return ofPieces(token, dy, workspaceFor, sumsOf);
  return ofOracle(token, dy, prepare);
}

/** The columns of each channel, added in order from +0. */
export function addedColumns(columns: Float64Array, channels: number): Float64Array {
  const total = zeros(channels);
  const each = columns.length / channels;
  for (let i = 0; i < columns.length; i++) total[Math.floor(i / each)]! += columns[i]!;
  return total;
}

/** The groups of a batch, added in the order in which they come. */
export class AddedSums {
  #sums: Float64Array | null = null;

  constructor(private readonly channels: number) {}

  add(sums: Float64Array): void {
    const { channels } = this;
    const before = (this.#sums ??= zeros(sums.length));
    const isAlike = before.length === sums.length;
    const total = isAlike ? before : (this.#sums = addedColumns(before, channels));
    const part = isAlike ? sums : addedColumns(sums, channels);
    for (let i = 0; i < total.length; i++) total[i]! += part[i]!;
  }

  /** Of nothing, they are 0. */
  total(): Float64Array {
    return addedColumns(this.#sums ?? zeros(this.channels), this.channels);
  }
}

/** The sums of a backward, both of them. */
export class AddedGradSums {
  readonly #sumG: AddedSums;
  readonly #sumGX: AddedSums;

  constructor(channels: number) {
    this.#sumG = new AddedSums(channels);
    this.#sumGX = new AddedSums(channels);
  }

  add({ sumG, sumGX }: GradSums): void {
    this.#sumG.add(sumG);
    this.#sumGX.add(sumGX);
  }

  total(): GradSums {
    return { sumG: this.#sumG.total(), sumGX: this.#sumGX.total() };
  }
}
