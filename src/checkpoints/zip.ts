// Archives of the format zip whose entries are stored, not compressed, as torch and Keras write them: where each entry's
// bytes are, so that they are read by ranges. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
import type { Bytes } from "./bytes.js";
import { quoted } from "./json-text.js";
import { directoryOf, fail, listed, viewAt, type Directory, type Listed } from "./zip-directory.js";

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  /** The number of its bytes, where it is stored as it is. */
  readonly size: number;
  /** Reads some of its bytes. */
  read(begin: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

const LOCAL = 0x04034b50;
const LOCAL_SIZE = 30;

/** Where each entry must end, by its offset: no two entries share bytes, and all stand before the directory. */
function endsOf(entries: readonly Listed[], directory: Directory): ReadonlyMap<number, number> {
  const inOrder = [...entries].sort((a, b) => a.offset - b.offset);
  const ends = inOrder.map((entry, i): [number, number] => {
    const end = inOrder[i + 1]?.offset ?? directory.begin;
    checkEnd(entry, entry.offset + LOCAL_SIZE, end);
    return [entry.offset, end];
  });
  return new Map(ends);
}

function checkEnd({ name, stored }: Listed, begin: number, end: number): void {
  if (begin + stored > end) fail(`${quoted(name)} to end before ${end}, got ${stored} bytes from ${begin}`);
}

/** An entry is checked when it is read: there may be compressed ones that nobody asks for. */
function entryOf(bytes: Bytes, entry: Listed, end: number): ZipEntry {
  const { name, flags, method, stored, size, offset } = entry;
  let data: Promise<number> | undefined;
  const begins = async (): Promise<number> => {
    if ((flags & 1) !== 0) fail(`${quoted(name)} not to be encrypted`);
    if (method !== 0) fail(`${quoted(name)} to be stored, got compression method ${method}: unpack and store it`);
    if (stored !== size) fail(`${quoted(name)} of ${size} bytes, got ${stored} that are stored`);
    const view = viewAt(await bytes.read(offset, LOCAL_SIZE));
    if (view.getUint32(0, true) !== LOCAL) fail(`${quoted(name)} at byte ${offset}`);
    const begin = offset + LOCAL_SIZE + view.getUint16(26, true) + view.getUint16(28, true);
    checkEnd(entry, begin, end);
    return begin;
  };
  return {
    name,
    size,
    read: async (begin, length) => {
      if (begin + length > size) fail(`${quoted(name)} of ${begin + length} bytes, got ${size}`);
      const start = await (data ??= begins());
      return bytes.read(start + begin, length);
    },
  };
}

/** The entries of an archive by their names; null if the bytes are no archive. Nothing of the entries is read. */
export async function readZip(bytes: Bytes): Promise<ReadonlyMap<string, ZipEntry> | null> {
  const directory = await directoryOf(bytes, bytes.size!);
  if (directory === null) return null;
  const entries = listed(await bytes.read(directory.begin, directory.size), directory.count);
  const ends = endsOf(entries, directory);
  const byName = new Map(entries.map((entry) => [entry.name, entryOf(bytes, entry, ends.get(entry.offset)!)]));
  if (byName.size !== entries.length) fail("names that occur once");
  return byName;
}
