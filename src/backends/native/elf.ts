// What the loader asks of binaries before it maps one: ELF-64, little-endian, as on every platform with a prebuild.
import type * as NodeFs from "node:fs";

type FileSystem = typeof NodeFs;

/** The `length` bytes at `position`; fewer where the file ends. */
type Read = (position: number, length: number) => DataView;

const MAGIC = 0x7f454c46;
const HEADER_SIZE = 64;

function withFile<Result>(fs: FileSystem, path: string, body: (read: Read, size: number) => Result): Result {
  const file = fs.openSync(path, "r");
  try {
    const read: Read = (position, length) => {
      const bytes = new Uint8Array(length);
      return new DataView(bytes.buffer, 0, fs.readSync(file, bytes, 0, length, position));
    };
    return body(read, fs.fstatSync(file).size);
  } finally {
    fs.closeSync(file);
  }
}

const isElf = (header: DataView): boolean => header.byteLength === HEADER_SIZE && header.getUint32(0) === MAGIC;
const offset = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** e_machine, at 0x12 of the header, of the architectures with a prebuild. */
const MACHINES: ReadonlyMap<string, number> = new Map([
  ["x64", 62],
  ["arm64", 183],
]);

/**
 * What is wrong with a binary, as far as it must be known before it is mapped; null where nothing is, and of other kinds of
 * files. dlopen says of one for another machine that it cannot be opened. It maps a truncated one without complaint, and
 * the process dies of a bus error when it reads past the end. So the section table, which the linker writes last, must
 * lie inside the file (its offset is at 0x28 of the header, size and number of entries at 0x3a and 0x3c).
 */
export function faultOf(fs: FileSystem, path: string, arch: string): string | null {
  return withFile(fs, path, (read, size) => {
    const header = read(0, HEADER_SIZE);
    if (header.byteLength < HEADER_SIZE) return "is truncated";
    if (!isElf(header)) return null;
    const machine = MACHINES.get(arch);
    if (machine !== undefined && header.getUint16(0x12, true) !== machine) return `is for another machine, not for ${arch}`;
    const end = offset(header, 0x28) + header.getUint16(0x3a, true) * header.getUint16(0x3c, true);
    return end > size ? "is truncated" : null;
  });
}

/**
 * The dynamic linker a program names (segment of type 3, PT_INTERP), or "" where it names none: "ld-musl" in it tells
 * the C library. A process report and /proc/self/maps say so too, and take 1.5 ms and more.
 */
export function interpreterOf(fs: FileSystem, path: string): string {
  return withFile(fs, path, (read) => {
    const header = read(0, HEADER_SIZE);
    if (!isElf(header)) return "";
    const size = header.getUint16(0x36, true);
    const segments = read(offset(header, 0x20), size * header.getUint16(0x38, true));
    for (let at = 0; at + size <= segments.byteLength; at += size) {
      if (segments.getUint32(at, true) !== 3) continue;
      const name = read(offset(segments, at + 8), offset(segments, at + 32));
      return String.fromCharCode(...new Uint8Array(name.buffer, 0, name.byteLength));
    }
    return "";
  });
}
