// The same module for a memory that threads share. A module says of the memory that it imports whether it is shared; that
// is a byte, and the most pages that it may have.

/** The name of the import, then: a memory, of which only the least pages are said. */
const UNSHARED = [..."memory"].map((letter) => letter.charCodeAt(0)).concat(2, 0);
/** A shared memory has the bits 1 and 2, and 65 536 pages at most. */
const MOST_PAGES = [0x80, 0x80, 0x04];
const IMPORTS = 2;
/** A module begins with its magic number and its version. */
const HEADER_BYTES = 8;

/** Where the section of imports begins. */
function importsOf(bytes: Uint8Array): number {
  let at = HEADER_BYTES;
  while (bytes[at] !== IMPORTS) {
    // The sizes of sections have 7 bits in a byte, the lowest first.
    let [size, shift] = [0, 0];
    do size |= (bytes[++at]! & 127) << shift;
    while (((shift += 7), bytes[at]! > 127));
    at += size + 1;
    if (at >= bytes.length) throw new Error("the module has no imports");
  }
  return at;
}

/** The bytes of the module for a shared memory. */
export function sharedBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const section = importsOf(bytes);
  const end = section + 2 + bytes[section + 1]!;
  let name = section;
  while (UNSHARED.some((byte, i) => bytes[name + i] !== byte)) {
    if (++name >= end) throw new Error("the module imports no memory");
  }
  const limits = name + UNSHARED.length;
  const parts = [bytes.subarray(0, limits + 1), MOST_PAGES, bytes.subarray(limits + 1)];
  const shared = new Uint8Array(bytes.length + MOST_PAGES.length);
  let at = 0;
  for (const part of parts) {
    shared.set(part, at);
    at += part.length;
  }
  shared[limits - 1] = 3;
  shared[section + 1]! += MOST_PAGES.length;
  return shared;
}
