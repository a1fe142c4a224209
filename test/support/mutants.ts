// Faults in the code of the loaded addon, one at a time, each in a forked child (test/fixtures/mutants.cc): what the
// self-check and calls whose results are known make of each.
import type { InstructionSet } from "../../src/backends/native/instruction-sets.js";
import type { Control } from "../../src/kernels/control.js";
import { FIELDS, HEADER, Slot } from "../../src/kernels/layout.js";
import { KERNEL_NAMES, type KernelName } from "../../src/kernels/operands.js";
import { DTYPES, type Data, type DType } from "../../src/base/types.js";
import { referenceOf } from "../../src/verify/case-reference.js";
import type { Case } from "../../src/verify/cases.js";
import { operandNamesOf, type AnyKernel } from "../../src/verify/call.js";
import { loadAddon, type AddonKernels, type InstructionSets, kernelsOf } from "./addon-kernels.js";
import { buildFixture } from "./faulty-addon.js";
import { runCase } from "./kernel-runner.js";
import { readLibrary, type Library, type Symbol } from "./symbols.js";
import { kernelsFrom } from "./wrapped.js";

interface Fixture {
  open(path: string, selfCheck: number, kernels: number, type: number): boolean;
  add(operation: number, block: Data, operands: (Data | null)[], regions: Data[], isWeighted: boolean): void;
  run(address: number, bytes: Uint8Array): [stage: number, signal: number, call: number];
}

/** What became of a mutant. `lateCrash` is one that passed the check, and ended a call of the library by a signal. */
export type Fate = "crash" | "hang" | "rejected" | "right" | "wrong" | "lateCrash";

export interface Outcome {
  readonly fate: Fate;
  /** The name of the signal that ended it, or "". */
  readonly signal: string;
  /** The kernel whose call was wrong or ended it, with its case. */
  readonly call: string;
}

/** The stages of the fixture. */
const STAGES = ["checks", "calls", "checks", "calls", "right", "rejected", "wrong"] as const;
const SIGNALS: Readonly<Record<number, string>> = {
  4: "SIGILL",
  5: "SIGTRAP",
  7: "SIGBUS",
  8: "SIGFPE",
  11: "SIGSEGV",
  27: "SIGPROF",
};

/** The bytes of an array's whole memory, its guards included. */
function memoryOf(data: Data): Data {
  return new (data.constructor as Float32ArrayConstructor)(data.buffer as ArrayBuffer);
}

/** One element type of one instruction set, and the calls that show whether a mutant of it is right. */
export class Trial {
  readonly #names: string[] = [];
  /** What the fixture points to. */
  readonly #alive: unknown[] = [];

  constructor(
    readonly fixture: Fixture,
    path: string,
    library: Library,
    readonly set: InstructionSet,
    readonly dtype: DType,
    readonly kernels: AddonKernels,
  ) {
    const addressOf = (pattern: RegExp): number => library.symbols.find(({ name }) => pattern.test(name))!.address;
    const isOpen = fixture.open(
      path,
      addressOf(/^_ZN2bn10self_check/),
      addressOf(new RegExp(`^_ZN2bn${set.length}${set}7kernelsE$`)),
      DTYPES.indexOf(dtype),
    );
    if (!isOpen) throw new Error(`${path} is not loaded`);
  }

  /** Adds the calls of a case; `index` chooses how they share work and store. */
  add(test: Case, index: number): readonly string[] {
    const kernels = kernelsOf(this.kernels);
    const recording = kernelsFrom((name) => (control, ...operands) => {
      control.set("threads", 1 + (index % 2));
      control.set("grain", 1);
      control.set("streamFrom", index % 4 < 2 ? 0 : Infinity);
      this.#record(name, control, operands, () => {
        (kernels[name] as AnyKernel)(control, ...operands);
      });
      control.set("threads", 1);
      control.set("grain", 0);
      control.set("streamFrom", Infinity);
    });
    return runCase(recording, referenceOf(test)).faults;
  }

  #record(name: KernelName, control: Control, operands: readonly (Data | null)[], call: () => void): void {
    const buffers = [...new Set(operands.flatMap((data) => (data ? [data.buffer] : [])))];
    const arrays = buffers.map((buffer) => memoryOf(operands.find((data) => data?.buffer === buffer)!));
    const before = arrays.map((array) => array.slice());
    const block = control.block.slice();
    call();
    const fields = HEADER + FIELDS.length * control.extent.channels;
    const after = [...arrays.map((array) => array.slice()), control.block.slice(0, fields)];
    after.at(-1)[Slot.threadsUsed] = block[Slot.threadsUsed]!;
    const moved = operands.map((data) => {
      const memory = data && before[buffers.indexOf(data.buffer)]!;
      return memory && memory.subarray(data.byteOffset / data.BYTES_PER_ELEMENT).subarray(0, data.length);
    });
    const regions = [...before, block.subarray(0, fields)].flatMap((array, i) => [array, after[i]!]);
    this.#alive.push(block, before, after, moved, regions);
    const isWeighted = (operands[operandNamesOf(name).indexOf("w")] ?? null) !== null;
    this.fixture.add(KERNEL_NAMES.indexOf(name), block, moved, regions, isWeighted);
    const { outer, channels, inner } = control.extent;
    this.#names.push(`${name} ${outer}×${channels}×${inner} flags ${control.get("flags")}`);
  }

  run(address: number, bytes: Uint8Array): Outcome {
    const [stage, number, call] = this.fixture.run(address, bytes);
    const at = STAGES[stage]!;
    const signal = number === 0 ? "" : (SIGNALS[number] ?? `signal ${number}`);
    const name = this.#names[call] ?? "";
    if (signal === "") return { fate: at as Fate, signal, call: at === "wrong" ? name : "" };
    if (at === "calls") return { fate: "lateCrash", signal, call: name };
    return { fate: signal === "SIGPROF" ? "hang" : "crash", signal, call: "" };
  }
}

export interface Laboratory {
  readonly library: Library;
  /** The functions of an instruction set's kernels, by the element type whose loops they are. */
  functionsOf(set: InstructionSet, dtype: DType): readonly Symbol[];
  trial(set: InstructionSet, dtype: DType): Trial;
}

const NAMESPACES: Readonly<Record<DType, string>> = {
  float32: "3f32",
  float64: "3f64",
  float16: "3f16",
  bfloat16: "4bf16",
};

export function openLaboratory(path: string): Laboratory {
  const fixture = loadAddon<Fixture>(buildFixture("mutants.cc"));
  const { instructionSets } = loadAddon<{ instructionSets: InstructionSets }>(path);
  const library = readLibrary(path);
  return {
    library,
    functionsOf(set, dtype) {
      const space = `2bn${set.length}${set}12_GLOBAL__N_1`;
      return library.symbols.filter(({ name, isFunction, size }) => {
        const at = name.indexOf(space);
        return isFunction && size > 0 && at >= 0 && name.startsWith(NAMESPACES[dtype], at + space.length);
      });
    },
    trial: (set, dtype) => new Trial(fixture, path, library, set, dtype, instructionSets[set] as AddonKernels),
  };
}
