// The instructions of a WebAssembly module, and the module with one of them replaced (core specification, chapter 5).
export interface Instruction {
  /** The function's number among those of the code section. */
  readonly body: number;
  /** Where it begins and ends in the module. */
  readonly at: number;
  readonly end: number;
  readonly opcode: number;
  /** Behind the prefixes 0xfc and 0xfd. */
  readonly operation: number;
  /** Where the immediates begin. */
  readonly immediates: number;
}

interface Body {
  readonly begin: number;
  readonly end: number;
}

const CODE = 10;

/** An unsigned LEB128 number, and where it ends; a signed one ends there too. */
function readNumber(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: at };
  }
}

function writeNumber(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...writeNumber(value >>> 7)];
}

const numbers = (bytes: Uint8Array, at: number, count: number): number =>
  count === 0 ? at : numbers(bytes, readNumber(bytes, at).end, count - 1);

function endOfVectorOperation(bytes: Uint8Array, operation: number, at: number): number {
  const isMemory = operation <= 11 || operation === 92 || operation === 93;
  if (isMemory) return numbers(bytes, at, 2);
  if (operation === 12 || operation === 13) return at + 16;
  if (operation >= 84 && operation <= 91) return numbers(bytes, at, 2) + 1;
  return operation >= 21 && operation <= 34 ? at + 1 : at;
}

function endOf(bytes: Uint8Array, opcode: number, operation: number, at: number): number {
  if (opcode === 0xfd) return endOfVectorOperation(bytes, operation, at);
  if (opcode === 0xfc) return numbers(bytes, at, operation < 8 ? 0 : operation === 9 || operation === 11 ? 1 : 2);
  if (opcode >= 0x28 && opcode <= 0x3e) return numbers(bytes, at, 2);
  if (opcode === 0x0e) {
    const { value, end } = readNumber(bytes, at);
    return numbers(bytes, end, value + 1);
  }
  if (opcode === 0x43) return at + 4;
  if (opcode === 0x44) return at + 8;
  if (opcode === 0x11) return numbers(bytes, at, 2);
  const hasOne =
    [2, 3, 4, 0x0c, 0x0d, 0x10, 0x3f, 0x40, 0x41, 0x42].includes(opcode) || (opcode >= 0x20 && opcode <= 0x26);
  return hasOne ? numbers(bytes, at, 1) : at;
}

/** The section of the code. */
interface Code {
  /** Of its number, of its content, and of the first body's size. */
  readonly begin: number;
  readonly start: number;
  readonly first: number;
  readonly end: number;
  /** Without their sizes. */
  readonly bodies: readonly Body[];
}

function codeOf(bytes: Uint8Array): Code {
  for (let at = 8; ;) {
    const begin = at;
    const { value: size, end: start } = readNumber(bytes, at + 1);
    at = start + size;
    if (bytes[begin] !== CODE) continue;
    const bodies: Body[] = [];
    const first = readNumber(bytes, start).end;
    for (let next = first; next < at;) {
      const body = readNumber(bytes, next);
      bodies.push({ begin: body.end, end: body.end + body.value });
      next = body.end + body.value;
    }
    return { begin, start, first, end: at, bodies };
  }
}

export function instructionsOf(bytes: Uint8Array): Instruction[] {
  return codeOf(bytes).bodies.flatMap(({ begin, end }, body) => {
    const instructions: Instruction[] = [];
    const locals = readNumber(bytes, begin);
    let at = locals.end;
    for (let i = 0; i < locals.value; i++) at = readNumber(bytes, at).end + 1;
    while (at < end) {
      const opcode = bytes[at]!;
      const isPrefix = opcode === 0xfc || opcode === 0xfd;
      const { value, end: behind } = isPrefix ? readNumber(bytes, at + 1) : { value: opcode, end: at + 1 };
      const next = endOf(bytes, opcode, value, behind);
      instructions.push({ body, at, end: next, opcode, operation: value, immediates: behind });
      at = next;
    }
    return instructions;
  });
}

/** The module with other bytes in the place of an instruction. */
export function withReplaced(
  bytes: Uint8Array,
  { body, at, end }: Pick<Instruction, "body" | "at" | "end">,
  replacement: readonly number[],
): Uint8Array<ArrayBuffer> {
  const code = codeOf(bytes);
  const own = code.bodies[body]!;
  const sized = (...parts: readonly (Uint8Array | readonly number[])[]): (Uint8Array | readonly number[])[] => [
    writeNumber(parts.reduce((sum, { length }) => sum + length, 0)),
    ...parts,
  ];
  // What stands before the body's size, and behind the body, stays.
  const sizeAt = body === 0 ? code.first : code.bodies[body - 1]!.end;
  const changed = sized(bytes.subarray(own.begin, at), replacement, bytes.subarray(end, own.end));
  const content = sized(bytes.subarray(code.start, sizeAt), ...changed, bytes.subarray(own.end, code.end));
  const parts = [bytes.subarray(0, code.begin), [CODE], ...content, bytes.subarray(code.end)];
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}
