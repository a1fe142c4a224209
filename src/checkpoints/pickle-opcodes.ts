// What each opcode of a pickle does. Those that only hand-made pickles have, such as the ones that find a class by a
// registry or make an instance of one, are not here, and so are refused.
import { PickledTuple, PickleReader, type Pickled, type PickleWorld } from "./pickle.js";

const NOTHING = new PickledTuple([]);
const STOP = 0x2e;

const tuple = (reader: PickleReader, items: readonly Pickled[]): void => reader.pushObject(new PickledTuple(items));

function global(reader: PickleReader, module: Pickled, name: Pickled): void {
  if (typeof module !== "string" || typeof name !== "string") reader.fail("the name of a global");
  reader.push(reader.world.global(`${String(module)}.${String(name)}`));
}

function namedOnStack(reader: PickleReader): void {
  const [module, name] = reader.popMany(2);
  global(reader, module!, name!);
}

function protocol(reader: PickleReader): void {
  const version = reader.uint(1);
  if (version < 2 || version > 5) reader.fail(`a protocol from 2 to 5, got ${version}`);
}

/** What Python's objects have beside their items. An OrderedDict of torch has the versions of its modules there. */
function build(reader: PickleReader): void {
  reader.pop();
  if (!(reader.top() instanceof Map)) reader.fail("attributes of a dict");
}

function frame(reader: PickleReader): void {
  reader.uint(8);
}

const STEPS: readonly (readonly [number, (reader: PickleReader) => void])[] = [
  [0x80, protocol],
  [0x95, frame],
  [0x28, (reader) => reader.mark()], // MARK
  [0x30, (reader) => void reader.pop()], // POP
  [0x4e, (reader) => reader.push(null)], // NONE
  [0x88, (reader) => reader.push(true)], // NEWTRUE
  [0x89, (reader) => reader.push(false)], // NEWFALSE
  [0x4a, (reader) => reader.push(reader.int32())], // BININT
  [0x4b, (reader) => reader.push(reader.uint(1))], // BININT1
  [0x4d, (reader) => reader.push(reader.uint(2))], // BININT2
  [0x8a, (reader) => reader.push(reader.long(reader.uint(1)))], // LONG1
  [0x8b, (reader) => reader.push(reader.long(reader.uint(4)))], // LONG4
  [0x47, (reader) => reader.push(reader.float64())], // BINFLOAT
  [0x58, (reader) => reader.pushObject(reader.text(reader.uint(4)))], // BINUNICODE
  [0x8c, (reader) => reader.pushObject(reader.text(reader.uint(1)))], // SHORT_BINUNICODE
  [0x8d, (reader) => reader.pushObject(reader.text(reader.uint(8)))], // BINUNICODE8
  [0x55, (reader) => reader.pushObject(reader.text(reader.uint(1)))], // SHORT_BINSTRING
  [0x54, (reader) => reader.pushObject(reader.text(reader.uint(4)))], // BINSTRING
  [0x43, (reader) => reader.pushObject(reader.take(reader.uint(1)))], // SHORT_BINBYTES
  [0x42, (reader) => reader.pushObject(reader.take(reader.uint(4)))], // BINBYTES
  [0x8e, (reader) => reader.pushObject(reader.take(reader.uint(8)))], // BINBYTES8
  [0x96, (reader) => reader.pushObject(reader.take(reader.uint(8)))], // BYTEARRAY8
  [0x29, (reader) => reader.push(NOTHING)], // EMPTY_TUPLE
  [0x85, (reader) => tuple(reader, reader.popMany(1))], // TUPLE1
  [0x86, (reader) => tuple(reader, reader.popMany(2))], // TUPLE2
  [0x87, (reader) => tuple(reader, reader.popMany(3))], // TUPLE3
  [0x74, (reader) => tuple(reader, reader.popToMark())], // TUPLE
  [0x5d, (reader) => reader.pushObject([])], // EMPTY_LIST
  [0x61, (reader) => reader.append(reader.popMany(1))], // APPEND
  [0x65, (reader) => reader.append(reader.popToMark())], // APPENDS
  [0x7d, (reader) => reader.pushObject(new Map())], // EMPTY_DICT
  [0x73, (reader) => reader.setItems(reader.popMany(2))], // SETITEM
  [0x75, (reader) => reader.setItems(reader.popToMark())], // SETITEMS
  [0x8f, (reader) => reader.pushObject([])], // EMPTY_SET
  [0x90, (reader) => reader.append(reader.popToMark())], // ADDITEMS
  [0x91, (reader) => tuple(reader, reader.popToMark())], // FROZENSET
  [0x71, (reader) => reader.remember(reader.uint(1))], // BINPUT
  [0x72, (reader) => reader.remember(reader.uint(4))], // LONG_BINPUT
  [0x94, (reader) => reader.rememberNext()], // MEMOIZE
  [0x68, (reader) => reader.recall(reader.uint(1))], // BINGET
  [0x6a, (reader) => reader.recall(reader.uint(4))], // LONG_BINGET
  [0x63, (reader) => global(reader, reader.line(), reader.line())], // GLOBAL
  [0x93, namedOnStack], // STACK_GLOBAL
  [0x51, (reader) => reader.pushObject(reader.world.outside(reader.pop()))], // BINPERSID
  [0x52, (reader) => reader.reduce()], // REDUCE
  [0x81, (reader) => reader.reduce()], // NEWOBJ
  [0x62, build], // BUILD
];

const BY_CODE = new Map(STEPS);

/** The value of a pickle. */
export function unpickle(bytes: Uint8Array, world: PickleWorld): Pickled {
  return new PickleReader(bytes, world).run(BY_CODE, STOP);
}
