// The kernels and their operands, in the order in which JavaScript passes them. The addon exports what stands
// here, and its check reads nothing else.
#pragma once

#include "layout.h"

namespace bn {

struct Control;

/** The data of a call. What is absent is null. */
struct Operands {
  void *x, *y, *dy, *dx, *residual, *residual_or_y, *dresidual, *w;
};

using Kernel = void (*)(Control&, const Operands&);

struct KernelTable {
  Kernel moments, normalize, grad_sums, grad_input, forward, backward, zero_masked;
};

struct Operand {
  const char* name;
  void* Operands::*member;
  bool is_optional, is_output;
  /** One value for each position, in the type that is computed with; else one for each element. */
  bool is_weights;
  /** An optional operand must be there where all of these flags are set; 0: never. */
  unsigned needed_with;
};

constexpr size_t max_operands = 6;

struct Operation {
  const char* name;
  Kernel KernelTable::*kernel;
  size_t count;
  Operand operands[max_operands];
};

namespace operand {
constexpr Operand x = {"x", &Operands::x, false, false, false, 0};
constexpr Operand y = {"y", &Operands::y, false, true, false, 0};
constexpr Operand dy = {"dy", &Operands::dy, false, false, false, 0};
constexpr Operand dx = {"dx", &Operands::dx, false, true, false, 0};
constexpr Operand residual = {"residual", &Operands::residual, true, false, false, 0};
constexpr Operand residual_or_y = {"residualOrY", &Operands::residual_or_y,        true, false,
                                   false,         flag::activation | flag::holds_y};
constexpr Operand dresidual = {"dresidual", &Operands::dresidual, true, true, false, 0};
constexpr Operand w = {"w", &Operands::w, false, false, true, 0};
constexpr Operand optional_w = {"w", &Operands::w, true, false, true, 0};

constexpr Operation operations[] = {
    {"moments", &KernelTable::moments, 2, {x, optional_w}},
    {"normalize", &KernelTable::normalize, 3, {x, y, residual}},
    {"gradSums", &KernelTable::grad_sums, 3, {x, dy, residual_or_y}},
    {"gradInput", &KernelTable::grad_input, 6, {x, dy, dx, residual_or_y, dresidual, optional_w}},
    {"forward", &KernelTable::forward, 4, {x, y, residual, optional_w}},
    {"backward", &KernelTable::backward, 6, {x, dy, dx, residual_or_y, dresidual, optional_w}},
    {"zeroMasked", &KernelTable::zero_masked, 3, {x, y, w}},
};
}  // namespace operand

using operand::operations;
constexpr size_t operation_count = sizeof(operations) / sizeof(operations[0]);

}  // namespace bn
