// How much the self-check of the addon sees. A breakpoint at the beginning of any kernel function must stop it, and with any
// one bit of the kernels' code changed it must nearly always reject the instruction set, or all calls must still be right.
import { beforeAll, describe, expect, test } from "vitest";
import { INSTRUCTION_SETS, type InstructionSet } from "../../src/backends/native/instruction-sets.js";
import { DTYPES, type DType } from "../../src/base/types.js";
import { random } from "../../src/verify/data.js";
import { cases, halfCases, sizeOf, type Case } from "../../src/verify/cases.js";
import { addonPath } from "../support/addon.js";
import { backendsUnderTest } from "../support/backends.js";
import { openLaboratory, type Fate, type Laboratory, type Trial } from "../support/mutants.js";
import { isExhaustive, sample, seed } from "../support/sample.js";
import type { Symbol } from "../support/symbols.js";

/** int3, which is an instruction of x86 alone. */
const BREAKPOINT = 0xcc;
/** Of each element type of each instruction set: 300 in all where everything runs on a CPU with AVX-512. */
const MUTANTS = Number(process.env["BATCHNORM_MUTANTS"] ?? (isExhaustive ? 30 : 20));
/**
 * About one change in a hundred shows only in shapes or data that the self-check does not have (docs/proof.md). Which are
 * changed is drawn, so that a run of few may have several: this many are no chance.
 */
const MOST_WRONG = Math.ceil(MUTANTS / 10);
const canFork = process.platform === "linux" && process.arch === "x64";

interface Subject {
  readonly name: string;
  readonly set: InstructionSet;
  readonly dtype: DType;
}

const available = backendsUnderTest.flatMap(({ name, kernels, has16Bit }) => {
  const set = INSTRUCTION_SETS.find((one) => name === `native/${one}`);
  return set && kernels ? [{ set, dtypes: has16Bit ? DTYPES : DTYPES.slice(0, 2) }] : [];
});
const subjects: readonly Subject[] = available.flatMap(({ set, dtypes }) =>
  dtypes.map((dtype) => ({ name: `${set}, ${dtype}`, set, dtype })),
);

/** Shapes of every traversal, kind and option, and some of several blocks and groups. */
function shapesOf(dtype: DType): Case[] {
  const all = [...cases, ...halfCases].filter((one) => one.dtype === dtype);
  const small = all.filter(({ extent }) => sizeOf(extent) <= 6000).filter((_, i) => i % 3 === 0);
  const large = all.filter(({ extent }) => sizeOf(extent) > 30_000 && sizeOf(extent) < 140_000);
  return [...small.slice(0, 60), ...large.slice(0, 6)];
}

/** A trial whose calls are all right as long as nothing is changed. */
function trialOf(laboratory: Laboratory, { set, dtype }: Subject): Trial {
  const result = laboratory.trial(set, dtype);
  const faults = shapesOf(dtype).flatMap((one, index) => result.add(one, index));
  expect(faults).toEqual([]);
  return result;
}

/** Any one bit of the functions. */
function randomBit(functions: readonly Symbol[], next: () => number): { of: Symbol; address: number; bit: number } {
  let at = Math.floor(next() * functions.reduce((sum, { size }) => sum + size, 0));
  const of = functions.find(({ size }) => (at < size ? true : ((at -= size), false)))!;
  return { of, address: of.address + at, bit: Math.floor(next() * 8) };
}

describe.skipIf(!canFork || subjects.length === 0)("the code of the kernels", () => {
  let laboratory: Laboratory;
  beforeAll(() => {
    laboratory = openLaboratory(addonPath()!);
  });

  describe.each(sample("instruction sets with breakpoints", subjects, 2))("$name", (subject) => {
    test("the self-check reaches every function, or nothing does", () => {
      const functions = laboratory.functionsOf(subject.set, subject.dtype);
      expect(functions.length).toBeGreaterThan(50);
      const trial = trialOf(laboratory, subject);
      const missed: string[] = [];
      let reached = 0;
      for (const { name, address } of functions) {
        const { fate, signal } = trial.run(address, Uint8Array.of(BREAKPOINT));
        if (fate === "crash" && signal === "SIGTRAP") reached++;
        else if (fate !== "right") missed.push(`${name}: ${fate} ${signal}`);
      }
      console.log(`${subject.name}: ${reached} of ${functions.length} functions are reached`);
      expect(missed).toEqual([]);
    });
  });

  describe.each(sample("instruction sets with changed bits", subjects, 1))("$name", (subject) => {
    test(`of ${MUTANTS} changed bits, at most ${MOST_WRONG} passes and computes another result`, () => {
      const functions = laboratory.functionsOf(subject.set, subject.dtype);
      const trial = trialOf(laboratory, subject);
      const next = random(seed + subjects.indexOf(subject));
      const tally: Partial<Record<Fate, number>> = {};
      const wrong: string[] = [];
      for (let i = 0; i < MUTANTS; i++) {
        const { of, address, bit } = randomBit(functions, next);
        const byte = laboratory.library.bytesAt(address, 1)[0]!;
        const { fate, call, signal } = trial.run(address, Uint8Array.of(byte ^ (1 << bit)));
        tally[fate] = (tally[fate] ?? 0) + 1;
        const where = `bit ${bit} of ${address.toString(16)} in ${of.name}: ${signal} ${call}`;
        if (fate === "wrong") wrong.push(where);
        if (fate === "lateCrash") console.log(`passes, and crashes in a call: ${where}`);
      }
      console.log(`${subject.name}: ${JSON.stringify(tally)}`);
      if (wrong.length > 0) console.log(`passes, and computes another result: ${wrong.join("\n")}`);
      expect(wrong.length, wrong.join("\n")).toBeLessThanOrEqual(MOST_WRONG);
    });
  });
});
