// The control block as kernels see it: the checked header, and named views of what follows it.
#pragma once

#include "common/layout.h"

namespace bn {

constexpr size_t divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }

/** The header, read once and checked; kernels take sizes and counts from here alone. */
struct Header {
  size_t outer, channels, inner;
  Traversal traversal;
  Storage storage;
  unsigned flags;
  double eps, count, slope;
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
  size_t control_length() const {
    return slot::header + fields * channels + states * columns() +
           scratch_arrays * (columns() + scratch_pad) + group_values * groups() * columns();
  }
};

/** A kernel call's control block. */
struct Control : Fields {
  const Header header;
  double* const block;
  /** The most threads that worked on a part of the call. */
  size_t threads_used = 1;
  /** The self-check: work is divided as among threads, and the calling one does it all. */
  bool is_alone = false;
  /** Room for `columns + scratch_pad` float64 each; kernels keep arrays of their element type there. */
  double* scratch[scratch_arrays];
  /** What threads leave of each group, to be merged in order. */
  double* groups;

  Control(const Header& checked, double* control_block) : header(checked), block(control_block) {
    double* next = block + slot::header;
    for (double* Fields::*field : field_order) {
      this->*field = next;
      next += header.channels;
    }
    next += states * header.columns();
    for (double*& array : scratch) {
      array = next;
      next += header.columns() + scratch_pad;
    }
    groups = next;
  }

  bool has(unsigned bit) const { return (header.flags & bit) != 0; }
};

}  // namespace bn
