// What an instruction set provides: the loops of src/kernels.ts for every type of storage.
#pragma once

// Kernels are included inside target regions, so what they use of the standard library stands here.

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "control.h"
#include "machine.h"
#include "pool.h"
#include "storage.h"

namespace bn {

/** Data of a call, as in src/kernels.ts. `out` is y or dx. Absent operands are null. */
struct Operands {
  void *x, *dy, *aux, *out, *dresidual, *w;
};

using Kernel = void (*)(Control&, const Operands&);

struct KernelTable {
  Kernel moments, normalize, grad_sums, grad_input, forward, backward;
  Kernel weighted_moments, weighted_grad_input, weighted_forward, weighted_backward, zero_masked;
};

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
