// The symbols of a built addon: an ELF file for 64 bits, little-endian, that is not stripped.
import { readFileSync } from "node:fs";

export interface Symbol {
  /** As the compiler mangled it. */
  readonly name: string;
  /** Behind the address that the file is loaded at. */
  readonly address: number;
  readonly size: number;
  readonly isFunction: boolean;
}

export interface Library {
  readonly symbols: readonly Symbol[];
  /** The bytes that are loaded at an address. */
  bytesAt(address: number, count: number): Buffer;
}

interface Section {
  readonly type: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

const SYMBOL_TABLE = 2;
const NO_BITS = 8;
const SYMBOL_BYTES = 24;
const FUNCTION = 2;

function sectionsOf(file: Buffer): Section[] {
  const begin = Number(file.readBigUInt64LE(0x28));
  const [size, count] = [file.readUInt16LE(0x3a), file.readUInt16LE(0x3c)];
  return Array.from({ length: count }, (_, i) => {
    const at = begin + i * size;
    const word = (offset: number): number => Number(file.readBigUInt64LE(at + offset));
    return {
      type: file.readUInt32LE(at + 4),
      address: word(0x10),
      offset: word(0x18),
      size: word(0x20),
      link: file.readUInt32LE(at + 0x28),
    };
  });
}

function symbolsOf(file: Buffer, { offset, size, link }: Section, sections: readonly Section[]): Symbol[] {
  const names = sections[link]!;
  return Array.from({ length: size / SYMBOL_BYTES }, (_, i) => {
    const at = offset + i * SYMBOL_BYTES;
    const start = names.offset + file.readUInt32LE(at);
    return {
      name: file.toString("latin1", start, file.indexOf(0, start)),
      address: Number(file.readBigUInt64LE(at + 8)),
      size: Number(file.readBigUInt64LE(at + 16)),
      isFunction: (file[at + 4]! & 15) === FUNCTION,
    };
  });
}

export function readLibrary(path: string): Library {
  const file = readFileSync(path);
  const sections = sectionsOf(file);
  const tables = sections.filter(({ type }) => type === SYMBOL_TABLE);
  return {
    symbols: tables.flatMap((table) => symbolsOf(file, table, sections)),
    bytesAt(address, count) {
      const section = sections.find(
        ({ type, address: begin, size }) => type !== NO_BITS && begin > 0 && address >= begin && address < begin + size,
      )!;
      const at = section.offset + address - section.address;
      return file.subarray(at, at + count);
    },
  };
}
