// The operations as JavaScript calls them, and the one check that keeps a call inside its arrays.
#pragma once

#include "kernels.h"

namespace bn {

enum class Element : uint8_t { absent, float32, float64, bits16, other };

/** What JavaScript passed for an argument. */
struct Array {
  Element element = Element::absent;
  void* data = nullptr;
  size_t length = 0;
  bool detached = false;
};

struct Operand {
  const char* name;
  void* Operands::*member;
  bool is_optional, is_output;
};

constexpr size_t max_operands = 6;

struct Operation {
  const char* name;
  Kernel KernelTable::*kernel;
  size_t count;
  Operand operands[max_operands];
};

/** In the order of src/kernels.ts, operands in the order of its arguments. */
extern const Operation operations[];
extern const size_t operation_count;

struct Failure {
  bool is_type_error;
  char message[160];
};

/**
 * Memory safety alone; meaning is the plan's business. Reads the control block's header once into
 * `header`, and nothing that is read from the block afterwards is used as a size or an index.
 */
bool check(const Operation& operation, const Array& control, const Array* data, Header* header,
           Failure* failure);

}  // namespace bn
