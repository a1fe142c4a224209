// What an instruction set provides: the kernels for every type of storage.
#pragma once

// Kernels are included inside target regions, so what they use of the standard library stands here.

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "common/operands.h"
#include "control.h"
#include "machine.h"
#include "pool.h"
#include "storage.h"

namespace bn {

struct Kernels {
  const char* name;
  KernelTable f32, f64;
  /** On 16-bit storage; null where no instructions convert it. */
  const KernelTable *f16, *bf16;
};

/** An instruction set this binary holds. `unavailable` says why this machine cannot run it, or null. */
struct InstructionSet {
  const Kernels* kernels;
  const char* (*unavailable)();
};

/** Best first. */
extern const InstructionSet instruction_sets[];
extern const size_t instruction_set_count;

}  // namespace bn
