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
  const hasOne = [2, 3, 4, 0x0c, 0x0d, 0x10, 0x3f, 0x40, 0x41, 0x42].includes(opcode) || (opcode >= 0x20 && opcode <= 0x26);
  return hasOne ? numbers(bytes, at, 1) : at;
}

/** The section of the code, from its number on, and its bodies without their sizes. */
function codeOf(bytes: Uint8Array): { begin: number; end: number; bodies: Body[] } {
  for (let at = 8; ; ) {
    const begin = at;
    const { value: size, end: start } = readNumber(bytes, at + 1);
    at = start + size;
    if (bytes[begin] !== CODE) continue;
    const bodies: Body[] = [];
    for (let next = readNumber(bytes, start).end; next < at; ) {
      const body = readNumber(bytes, next);
      bodies.push({ begin: body.end, end: body.end + body.value });
      next = body.end + body.value;
    }
    return { begin, end: at, bodies };
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
  const bodies = code.bodies.map((own, i) => {
    const old = [...bytes.subarray(own.begin, own.end)];
    if (i === body) old.splice(at - own.begin, end - at, ...replacement);
    return [...writeNumber(old.length), ...old];
  });
  const content = [...writeNumber(bodies.length), ...bodies.flat()];
  const section = [CODE, ...writeNumber(content.length), ...content];
  return Uint8Array.from([...bytes.subarray(0, code.begin), ...section, ...bytes.subarray(code.end)]);
}

export { readNumber, writeNumber };
