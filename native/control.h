// The control block: a kernel call's arguments, coefficients, results and scratch in one array of
// float64. The same layout stands in src/control.ts and assembly/control.ts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bn {

/** Contract, clause 1. Few columns are fewer than `lanes`. */
constexpr size_t lanes = 16;
constexpr size_t block_size = 2048;  // values of one channel in the planes walk, rows with few columns
constexpr size_t block_rows = 128;   // rows in the rows walk
constexpr size_t group_size = 32;    // blocks

/** How a kernel walks the data (contract, clause 1). */
enum class Walk : uint8_t { planes, rows, few_columns };

/** What elements are kept in: T itself, or 16 bits of a float32. */
enum class Storage : uint8_t { own, half, bfloat };

/** Bits of the header's `flags`. */
namespace flag {
constexpr unsigned relu = 1, aux_is_output = 2, frozen = 4, leaky = 8, inverse = 16, all = 31;
}

/** Bits of the header's `part`: a channel may be summed in several calls, cut between blocks. */
namespace part {
constexpr unsigned first = 1, last = 2, all = 3;
}

/** Header slots, one float64 each. */
namespace slot {
enum : size_t {
  outer,
  channels,
  inner,
  walk,
  flags,
  eps,
  count,
  part,
  block,
  group_count,
  total_count,
  threads,
  grain,
  stream_from,
  threads_used,
  slope,
  storage,
  header = 24
};
}

constexpr size_t fields = 13, states = 6, scratch_arrays = 6, scratch_pad = 256;

constexpr size_t divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }

/** The header, read once and checked; kernels take sizes and counts from here alone. */
struct Header {
  size_t outer, channels, inner;
  Walk walk;
  Storage storage;
  unsigned flags, part;
  double eps, count, slope;
  uint64_t block;
  double group_count, total_count;
  /** Threads that a call may use, and elements below which another is not worth waking. */
  size_t threads, grain;
  /** Bytes of all operands from which outputs are written past the cache. */
  double stream_from;

  /** Columns of the walk: the channels, or every (channel, inner) pair in the rows walks. */
  size_t columns() const { return walk == Walk::planes ? channels : channels * inner; }

  size_t elements() const { return outer * channels * inner; }

  /** Outer indices of a block: runs of a channel in the planes walk, else rows. */
  size_t outer_per_block() const {
    if (walk == Walk::planes) return inner < block_size ? block_size / inner : 1;
    return walk == Walk::rows ? block_rows : block_size;
  }

  /** Blocks of one column. */
  size_t blocks() const {
    if (elements() == 0) return 0;
    const size_t pieces = walk == Walk::planes ? divide_up(inner, block_size) : 1;
    return divide_up(outer, outer_per_block()) * pieces;
  }

  /** Groups of one column, where its first block opens one. */
  size_t groups() const { return divide_up(blocks(), group_size); }

  /** Length of the control block in float64 elements. */
  size_t control_length() const {
    return slot::header + fields * channels + states * columns() +
           scratch_arrays * (columns() + scratch_pad) + 3 * groups() * columns();
  }
};

/** A checked header with named views of the block's fields, as `Control` in src/control.ts. */
struct Control {
  const Header header;
  double* const block;
  /** The most threads that worked on a part of the call. */
  size_t threads_used = 1;
  double *weight, *bias, *mean, *m2, *inv_std, *center, *scale, *shift;
  double *sum_g, *sum_gx, *grad_shift, *grad_slope, *grad_scale;
  /** Per column: (mean, m2) or (S, U) of the merged groups, then of the open group; the counts of both. */
  double* state[states];
  /** Room for `columns + scratch_pad` float64 each; kernels keep arrays of their element type there. */
  double* scratch[scratch_arrays];
  /**
   * What threads leave to be merged in order: (mean, m2) or (S, U) of each group, `columns` of each; with
   * weights (count, mean, m2).
   */
  double* groups;

  Control(const Header& checked, double* control_block) : header(checked), block(control_block) {
    double* next = block + slot::header;
    for (double** field : {&weight, &bias, &mean, &m2, &inv_std, &center, &scale, &shift, &sum_g, &sum_gx,
                           &grad_shift, &grad_slope, &grad_scale}) {
      *field = next;
      next += header.channels;
    }
    for (double*& array : state) {
      array = next;
      next += header.columns();
    }
    for (double*& array : scratch) {
      array = next;
      next += header.columns() + scratch_pad;
    }
    groups = next;
  }

  bool has(unsigned bit) const { return (header.flags & bit) != 0; }
  bool begins() const { return (header.part & part::first) != 0; }
  bool ends() const { return (header.part & part::last) != 0; }
};

}  // namespace bn
