// Writes archives of the format zip whose entries are stored.
import { rangeError } from "../base/errors.js";
import { allocateBytes } from "./bytes.js";

/** Torch begins the bytes of an entry at a multiple of this, so that they can be mapped into memory. */
const ALIGNMENT = 64;
const LOCAL_SIZE = 30;
const CENTRAL_SIZE = 46;
const END_SIZE = 22;
/** The id of an extra field that only pads, as torch has it. */
const PADDING = 0x4246;
/** The first of January 1980, which is the first day that the format knows. */
const DATE = 0x21;
const VERSION = 20;
/** Names are UTF-8. */
const FLAGS = 0x800;

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
});

function crcOf(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

interface Placed {
  readonly name: Uint8Array;
  readonly bytes: Uint8Array;
  readonly crc: number;
  readonly offset: number;
  /** The length of the extra field that pads. */
  readonly extra: number;
}

function placed(files: readonly (readonly [string, Uint8Array])[]): readonly Placed[] {
  let end = 0;
  return files.map(([text, bytes]) => {
    const [name, offset] = [new TextEncoder().encode(text), end];
    const begin = offset + LOCAL_SIZE + name.length + 4;
    const extra = 4 + ((ALIGNMENT - (begin % ALIGNMENT)) % ALIGNMENT);
    end = begin - 4 + extra + bytes.length;
    return { name, bytes, crc: crcOf(bytes), offset, extra };
  });
}

/** What both headers of an entry have. */
function writeCommon(view: DataView, at: number, { name, bytes, crc }: Placed, extra: number): void {
  view.setUint16(at, VERSION, true);
  view.setUint16(at + 2, FLAGS, true);
  view.setUint16(at + 8, DATE, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, bytes.length, true);
  view.setUint32(at + 18, bytes.length, true);
  view.setUint16(at + 22, name.length, true);
  view.setUint16(at + 24, extra, true);
}

/** An archive of files by their names. */
export function writeZip(files: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const entries = placed(files);
  const last = entries.at(-1)!;
  const begin = last.offset + LOCAL_SIZE + last.name.length + last.extra + last.bytes.length;
  const size = entries.reduce((sum, { name }) => sum + CENTRAL_SIZE + name.length, 0);
  if (entries.length >= 0xffff || begin + size >= 0xffffffff)
    throw rangeError(
      "ERR_BATCHNORM_VALUE",
      `the file expected less than 65535 entries and 4 GB, got ${entries.length} entries and ${begin} bytes`,
    );
  const file = allocateBytes(begin + size + END_SIZE);
  const view = new DataView(file.buffer);
  let at = begin;
  for (const entry of entries) {
    const { name, bytes, offset, extra } = entry;
    view.setUint32(offset, 0x04034b50, true);
    writeCommon(view, offset + 4, entry, extra);
    file.set(name, offset + LOCAL_SIZE);
    view.setUint16(offset + LOCAL_SIZE + name.length, PADDING, true);
    view.setUint16(offset + LOCAL_SIZE + name.length + 2, extra - 4, true);
    file.set(bytes, offset + LOCAL_SIZE + name.length + extra);
    view.setUint32(at, 0x02014b50, true);
    view.setUint16(at + 4, VERSION, true);
    writeCommon(view, at + 6, entry, 0);
    view.setUint32(at + 42, offset, true);
    file.set(name, at + CENTRAL_SIZE);
    at += CENTRAL_SIZE + name.length;
  }
  view.setUint32(at, 0x06054b50, true);
  view.setUint16(at + 8, entries.length, true);
  view.setUint16(at + 10, entries.length, true);
  view.setUint32(at + 12, size, true);
  view.setUint32(at + 16, begin, true);
  return file;
}
