// What a TensorProto says about elements in another file. It is text of strangers, and tells a program which file to open.
import { quoted } from "./json-text.js";
import { fail } from "./onnx-wire.js";

/** The entries `external_data` of a tensor. */
export type ExternalEntries = ReadonlyMap<string, string>;

export const EXTERNAL_KEYS: readonly string[] = ["location", "offset", "length", "checksum"];

/** Where the elements are. */
export interface ExternalPlace {
  /** A relative path without steps, and as the model has it. */
  readonly location: string;
  readonly written: string;
  readonly offset: number;
  /** null where the shape alone tells it. */
  readonly length: number | null;
  readonly checksum: string | null;
}

/** A drive, also as URLs of files may have it, or the scheme of a URL. */
const SCHEME = /^[a-z](?:\||[a-z\d+.-]*:)/i;
/** What URLs take for a dot, for a slash or for the end of the path, and Windows for a slash. */
const HIDDEN = /%2e|%2f|%5c|[\\?#]/i;
/** URLs leave them out, so that what is left may be a step up. */
const isControl = (character: string): boolean => character < " " || character === "\u007f";
/** Windows takes dots and spaces off the end of a name. */
const UP = /^[. ]+$/;

/** A location is joined to a folder or to a URL, and has to stay below it. */
function checkedLocation(name: string, written: string): string {
  const steps = written.split("/").filter((step) => step !== "" && step !== ".");
  const isOther = written.startsWith("/") || SCHEME.test(written) || written !== written.trim();
  const leaves = isOther || HIDDEN.test(written) || [...written].some(isControl) || steps.some((step) => UP.test(step));
  if (leaves || steps.length === 0)
    fail(name, `external data inside the model's folder, at a relative path with slashes, got ${quoted(written)}`);
  return steps.join("/");
}

function numberOf(name: string, key: string, text: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(number)
    ? number
    : fail(name, `${key} of its external data in bytes, got ${quoted(text)}`);
}

export function placeOf(name: string, entries: ExternalEntries): ExternalPlace {
  const written = entries.get("location") ?? fail(name, "a location of its external data");
  const [offset, length] = [entries.get("offset"), entries.get("length")];
  return {
    location: checkedLocation(name, written),
    written,
    offset: offset === undefined ? 0 : numberOf(name, "an offset", offset),
    length: length === undefined ? null : numberOf(name, "a length", length),
    checksum: entries.get("checksum") ?? null,
  };
}
