// The self-check in one call: the kernels of an instruction set on all cases.
#pragma once

#include "../kernels.h"
#include "cases.h"

namespace bn {

/** What elements are: the package's element types, in its order. */
enum class CheckType : uint8_t { float32, float64, float16, bfloat16 };
constexpr size_t check_type_count = 4;

/**
 * Leaves a hash for each case, of all that the kernels of one element type write. They are the oracle's if
 * the kernels are right: src/backends/self-check/ compares. Returns false where there is no memory for it.
 */
bool self_check(const KernelTable& table, CheckType type, bool weighted, uint32_t hashes[check_case_count]);

}  // namespace bn
