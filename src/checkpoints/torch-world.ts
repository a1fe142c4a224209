// What the pickle of a file of torch refers to: storages, which are entries of the archive, and the functions that make
// tensors of them. Everything else is refused by its name, so that a file runs nothing and makes no object of a class.
import { MOST_AXES } from "../base/axes.js";
import { rangeError } from "../base/errors.js";
import { quoted } from "./json-text.js";
import { PickledGlobal, PickledTuple, type Pickled, type PickleWorld } from "./pickle.js";
import { bytesPerElement, type TensorDType } from "./tensors.js";
import { DTYPES, STORAGES } from "./torch-names.js";
import type { ZipEntry } from "./zip.js";

/** An entry of the archive, and how many elements of which type it claims; null if it does not know its type. */
class Storage {
  constructor(
    readonly entry: ZipEntry,
    readonly dtype: TensorDType | null,
  ) {}
}

/** A tensor in a file of torch: some elements of an entry. */
export class TorchTensor {
  constructor(
    readonly entry: ZipEntry,
    readonly dtype: TensorDType,
    /** The index of the first element in the entry. */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

const ADVICE = "save tensors alone, as with torch.save(model.state_dict(), path)";

const fail = (text: string): never => {
  throw rangeError("ERR_BATCHNORM_FILE", text);
};

const isSize = (value: Pickled): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function sizesOf(name: string, value: Pickled | undefined): readonly number[] {
  if (!(value instanceof PickledTuple) || !value.items.every(isSize))
    fail(`a tensor expected "${name}" to be a tuple of sizes`);
  const sizes = (value as PickledTuple).items as readonly number[];
  return sizes.length > MOST_AXES ? fail(`a tensor expected at most ${MOST_AXES} axes, got ${sizes.length}`) : sizes;
}

function tensorOf(args: readonly Pickled[], dtype: TensorDType | null): TorchTensor {
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof Storage)) return fail("a tensor expected a storage");
  if (!isSize(offset!)) return fail("a tensor expected an offset of its first element");
  const type = dtype ?? storage.dtype ?? fail("a tensor expected a storage of a known type");
  const [shape, strides] = [sizesOf("size", size), sizesOf("stride", stride)];
  if (shape.length !== strides.length)
    fail(`a tensor of ${shape.length} axes expected as many strides, got ${strides.length}`);
  const { name, size: bytes } = storage.entry;
  const last = shape.reduce((sum, count, axis) => sum + (count - 1) * strides[axis]!, offset);
  const end = shape.includes(0) ? 0 : (last + 1) * bytesPerElement(type);
  if (end > bytes) fail(`a tensor expected to end within ${quoted(name)} of ${bytes} bytes, got ${end}`);
  return new TorchTensor(storage.entry, type, offset, shape, strides);
}

function parameterOf([tensor]: readonly Pickled[]): Pickled {
  return tensor instanceof TorchTensor ? tensor : fail("a parameter expected a tensor");
}

/** Tensors with attributes of their own: `(function, class, arguments, state)`. */
function typedOf([make, type, args]: readonly Pickled[]): Pickled {
  const isPlain = type instanceof PickledGlobal && ["torch.Tensor", "torch.nn.parameter.Parameter"].includes(type.name);
  if (!isPlain || !(make instanceof PickledGlobal) || !(args instanceof PickledTuple))
    return fail("a tensor of a class of its own was found: convert it to torch.Tensor");
  return make.call ? make.call(args.items) : fail("a tensor expected a function that makes it");
}

function dictOf([items]: readonly Pickled[]): Pickled {
  const dict = new Map<Pickled, Pickled>();
  const pairs =
    items instanceof Map ? [...(items as Map<Pickled, Pickled>)] : Array.isArray(items) ? (items as Pickled[]) : [];
  for (const pair of pairs) {
    const [key, value] = (pair instanceof PickledTuple ? pair.items : pair) as Pickled[];
    dict.set(key!, value!);
  }
  return dict;
}

const dtypes = new Map(Object.entries(DTYPES).map(([dtype, name]) => [`torch.${name}`, dtype as TensorDType]));

/** `(storage, offset, size, stride, requires_grad, hooks, dtype)`, of element types that have no class of storages. */
function tensorOfDtype(args: readonly Pickled[]): TorchTensor {
  const [dtype] = args.slice(6);
  const type = dtype instanceof PickledGlobal ? dtypes.get(dtype.name) : undefined;
  return tensorOf(args, type ?? fail("a tensor expected a known element type"));
}

/** Values that say nothing about tensors. */
const opaque = (): Pickled => new PickledTuple([]);
const list = ([items]: readonly Pickled[]): Pickled => (Array.isArray(items) ? (items as Pickled[]) : []);
const size = ([items]: readonly Pickled[]): Pickled => (items instanceof PickledTuple ? items : new PickledTuple([]));

const FUNCTIONS: Readonly<Record<string, (args: readonly Pickled[]) => Pickled>> = {
  "torch._utils._rebuild_tensor": (args) => tensorOf(args, null),
  "torch._utils._rebuild_tensor_v2": (args) => tensorOf(args, null),
  "torch._utils._rebuild_tensor_v3": tensorOfDtype,
  "torch._utils._rebuild_parameter": parameterOf,
  "torch._utils._rebuild_parameter_with_state": parameterOf,
  "torch._tensor._rebuild_from_type_v2": typedOf,
  "torch.Size": size,
  "torch.device": opaque,
  "torch.serialization._get_layout": opaque,
  "collections.OrderedDict": dictOf,
  "collections.Counter": dictOf,
  "_codecs.encode": opaque,
  "__builtin__.set": list,
  "builtins.set": list,
};

const CLASSES = ["torch.Tensor", "torch.nn.parameter.Parameter", "torch.storage.UntypedStorage", ...dtypes.keys()];

const storages = new Map(Object.entries(STORAGES).map(([dtype, name]) => [`torch.${name}`, dtype as TensorDType]));

const GLOBALS: ReadonlyMap<string, PickledGlobal> = new Map([
  ...Object.entries(FUNCTIONS).map(([name, call]) => [name, new PickledGlobal(name, call)] as const),
  ...[...CLASSES, ...storages.keys()].map((name) => [name, new PickledGlobal(name)] as const),
]);

function storageOf(id: Pickled, entryAt: (key: string) => ZipEntry | undefined): Storage {
  const [kind, type, key, , count] = id instanceof PickledTuple ? id.items : [];
  if (kind !== "storage" || !(type instanceof PickledGlobal) || typeof key !== "string" || !isSize(count!))
    return fail(`the pickle expected a storage, its class, key, device and size`);
  const dtype = storages.get(type.name) ?? null;
  if (dtype === null && type.name !== "torch.storage.UntypedStorage") fail(`${quoted(type.name)} is no storage`);
  const entry = entryAt(key) ?? fail(`the archive expected an entry for the storage ${quoted(key)}`);
  const bytes = count * (dtype === null ? 1 : bytesPerElement(dtype));
  if (bytes !== entry.size) fail(`${quoted(entry.name)} expected ${bytes} bytes, got ${entry.size}`);
  return new Storage(entry, dtype);
}

/** `entryAt` gives the entry of a storage by its key. */
export function torchWorld(entryAt: (key: string) => ZipEntry | undefined): PickleWorld {
  return {
    global: (name) =>
      GLOBALS.get(name) ?? fail(`the pickle has ${quoted(name)} of Python, and no code of a file is run: ${ADVICE}`),
    outside: (id) => storageOf(id, entryAt),
  };
}
