// The control block as kernels see it: the checked header, named views of its fields, and the scratch of the
// call.
#pragma once

#include "common/layout.h"
#include "pool.h"

namespace bn {

constexpr size_t divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }

/**
 * The traversal of an extent (contract, clause 1). It is also what every array of fixed size in the kernels
 * relies on: in planes a run has at least 16 values, in the rows traversals fewer than 16, and few columns
 * are fewer than 16. The check refuses a header that says otherwise.
 */
constexpr Traversal traversal_of(size_t channels, size_t inner) {
  if (inner >= lanes) return Traversal::planes;
  return channels * inner >= lanes ? Traversal::rows : Traversal::few_columns;
}

/** The most values of a row of the matrix of few columns, whose rows are 16 of the tensor's. */
constexpr size_t max_few_width = (lanes - 1) * lanes;

/** The header, read once and checked; kernels take sizes and counts from here alone. */
struct Header {
  size_t outer, channels, inner;
  Traversal traversal;
  Storage storage;
  unsigned flags;
  /** Of the activation. `low` and `high` are of a clamp. */
  Kind kind;
  double eps, count, slope, low, high;
  /** Threads that a call may use, and elements below which another is not worth waking. */
  size_t threads, grain;
  /** Bytes of all operands from which outputs are written past the cache. */
  double stream_from;

  /** The channels, or every (channel, inner) pair in the rows traversals. */
  size_t columns() const { return traversal == Traversal::planes ? channels : channels * inner; }

  size_t elements() const { return outer * channels * inner; }

  /** Outer indices of a block: runs of a channel in the planes traversal, else rows. */
  size_t outer_per_block() const {
    if (traversal == Traversal::planes) return inner < block_size ? block_size / inner : 1;
    return traversal == Traversal::rows ? block_rows : block_size;
  }

  /** Blocks of one column. */
  size_t blocks() const {
    if (elements() == 0) return 0;
    const size_t pieces = traversal == Traversal::planes ? divide_up(inner, block_size) : 1;
    return divide_up(outer, outer_per_block()) * pieces;
  }

  /** Groups of one column. */
  size_t groups() const { return divide_up(blocks(), group_size); }

  /** Length of the control block in float64 elements. */
  size_t control_length() const { return slot::header + fields * channels; }

  /** Arrays that the kernels of the traversal fill between their steps; those of planes use their stack. */
  size_t scratch_arrays_length() const {
    return traversal == Traversal::planes ? 0 : scratch_arrays * (columns() + scratch_pad);
  }

  /** What threads leave of each group. In the planes traversal they share the groups of a channel, if it has
   * several. */
  size_t groups_length() const {
    return traversal == Traversal::planes && groups() == 1 ? 0 : group_values * groups() * columns();
  }

  /** Length of the memory that a call needs beside the control block, in float64 elements. */
  size_t scratch_length() const { return scratch_arrays_length() + groups_length(); }
};

/** A kernel call's control block. */
struct Control : Fields {
  const Header header;
  double* const block;
  /** The most threads that worked on a part of the call. */
  size_t threads_used = 1;
  /** The self-check: work is divided as among threads, and the calling one does it all. */
  bool is_alone = false;
  /** Says whether the call is to end early; null: it never is. */
  const Stop* stop = nullptr;
  /** Room for `columns + scratch_pad` float64 each; kernels keep arrays of their element type there. */
  double* scratch[scratch_arrays] = {};
  /** What threads leave of each group, to be merged in order. */
  double* groups;

  /** `memory` holds header.scratch_length() float64 of any value. */
  Control(const Header& checked, double* control_block, double* memory)
      : header(checked), block(control_block), groups(memory) {
    double* next = block + slot::header;
    for (double* Fields::*field : field_order) {
      this->*field = next;
      next += header.channels;
    }
    if (header.scratch_arrays_length() == 0) return;
    for (double*& array : scratch) {
      array = groups;
      groups += header.columns() + scratch_pad;
    }
  }

  bool has(unsigned bit) const { return (header.flags & bit) != 0; }
};

}  // namespace bn
