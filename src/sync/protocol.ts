// What ranks say to one another in a call, above every transport: first a header of fixed length, which must agree, then the
// payloads, padded to the longest. Both are gathers of arrays of equal length.
import { GroupError } from "./group.js";
import { textOfRanks } from "./ranks.js";

/** Gathers that a call makes: it yields the array of this rank, and gets those of all. */
export type Steps<R> = Generator<Float64Array, R, Float64Array>;

/** What ranks do together. */
export const KINDS = ["forward", "backward", "gather"] as const;

/** A call, in what must be equal on all ranks. */
export interface Call {
  readonly kind: (typeof KINDS)[number];
  /** The number of the call on this group, from 1. */
  readonly number: number;
  readonly channels: number;
  /** The name of the layer, or "". */
  readonly name: string;
  /** Everything else that must agree. */
  readonly agreement: string;
}

/** The version of this protocol, behind a number that no other header begins with. */
const PROTOCOL = 0x42_4e_00_01;

/** The fields of a header. Those before `length` must agree. */
const FIELD = { protocol: 0, number: 1, kind: 2, channels: 3, name: 4, agreement: 5, length: 6, hasFailed: 7 } as const;
/** The length of a header. */
export const HEADER = 8;
/** The most characters of an error that other ranks get to know. */
const MOST_TEXT = 300;

/** The FNV-1a hash of a text, taken by UTF-16 code units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function headerOf({ kind, number, channels, name, agreement }: Call, length: number, hasFailed: boolean): Float64Array {
  const header = new Float64Array(HEADER);
  header[FIELD.protocol] = PROTOCOL;
  header[FIELD.number] = number;
  header[FIELD.kind] = KINDS.indexOf(kind);
  header[FIELD.channels] = channels;
  header[FIELD.name] = hashOf(name);
  header[FIELD.agreement] = hashOf(agreement);
  header[FIELD.length] = length;
  header[FIELD.hasFailed] = hasFailed ? 1 : 0;
  return header;
}

/** Such as `forward (call 12)`. */
export function textOfCall({ kind, number, name }: Pick<Call, "kind" | "number" | "name">): string {
  return `${kind}${name === "" ? "" : ` of ${JSON.stringify(name)}`} (call ${number})`;
}

/** What a rank does, by its header. */
function textOfHeader(header: Float64Array): string {
  const kind = KINDS[header[FIELD.kind]!] ?? "something unknown";
  const channels = header[FIELD.channels]!;
  const of = kind === "gather" ? "" : ` of ${channels} ${channels === 1 ? "channel" : "channels"}`;
  return `call ${header[FIELD.number]}, ${kind}${of}`;
}

/** The header that most ranks have, and of several such that of the lowest rank. */
function commonest(headers: readonly Float64Array[]): Float64Array {
  const keyOf = (header: Float64Array): string => header.subarray(0, FIELD.length).join();
  const counts = new Map<string, number>();
  for (const header of headers) counts.set(keyOf(header), (counts.get(keyOf(header)) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return headers.find((header) => counts.get(keyOf(header)) === most)!;
}

function isAlike(a: Float64Array, b: Float64Array): boolean {
  for (let i = 0; i < FIELD.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** How a header differs from that of the others. */
function textOfDifference(header: Float64Array, others: Float64Array): string {
  if (header[FIELD.protocol] !== others[FIELD.protocol]) return "speaks another version of the protocol";
  const [own, expected] = [textOfHeader(header), textOfHeader(others)];
  if (own !== expected) return `is at ${own}, where others are at ${expected}`;
  const what = header[FIELD.name] === others[FIELD.name] ? "other options or another mode" : "another name";
  return `has a layer with ${what} at ${own}`;
}

/** All ranks see the same headers, so that all of them throw, or none. */
function checkAlike(headers: readonly Float64Array[], call: Call): void {
  const others = commonest(headers);
  const ranks = headers.flatMap((header, rank) => (isAlike(header, others) ? [] : [rank]));
  if (ranks.length === 0) return;
  const first = headers[ranks[0]!]!;
  const more = ranks.length > 1 ? `; ${textOfRanks(ranks)} differ` : "";
  throw new GroupError(`rank ${ranks[0]} ${textOfDifference(first, others)}${more}`, ranks, textOfCall(call));
}

function partsOf(all: Float64Array, size: number): Float64Array[] {
  const length = all.length / size;
  return Array.from({ length: size }, (_, rank) => all.subarray(rank * length, (rank + 1) * length));
}

/** Gathers arrays of any lengths: they are padded to the longest. */
function* gatherPadded(values: Float64Array, lengths: readonly number[]): Steps<Float64Array[]> {
  const longest = Math.max(...lengths);
  if (longest === 0) return lengths.map(() => new Float64Array(0));
  let padded = values;
  if (values.length < longest) (padded = new Float64Array(longest)).set(values);
  const all = yield padded;
  return partsOf(all, lengths.length).map((part, rank) => part.subarray(0, lengths[rank]));
}

function encodeText(text: string): Float64Array {
  return Float64Array.from({ length: Math.min(text.length, MOST_TEXT) }, (_, i) => text.charCodeAt(i));
}

/**
 * Exchanges the payloads of a call. A rank that has failed before says so, by an error in the place of its payload: it throws
 * that error, and all others a `GroupError` with its text.
 */
export function* exchange(size: number, call: Call, payload: Float64Array | Error): Steps<Float64Array[]> {
  const hasFailed = payload instanceof Error;
  const own = hasFailed ? encodeText(payload.message) : payload;
  const headers = partsOf(yield headerOf(call, own.length, hasFailed), size);
  const failed = headers.flatMap((header, rank) => (header[FIELD.hasFailed] === 1 ? [rank] : []));
  const isOf = (rank: number): boolean => failed.length === 0 || failed.includes(rank);
  if (failed.length === 0) checkAlike(headers, call);
  const lengths = headers.map((header, rank) => (isOf(rank) ? header[FIELD.length]! : 0));
  const parts = yield* gatherPadded(failed.length > 0 && !hasFailed ? new Float64Array(0) : own, lengths);
  if (hasFailed) throw payload;
  if (failed.length === 0) return parts;
  const text = String.fromCharCode(...parts[failed[0]!]!);
  throw new GroupError(`${textOfRanks(failed)} failed before the gather: ${text}`, failed, textOfCall(call));
}
