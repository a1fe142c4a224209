// The layout of the control block, one array of float64 that carries what a kernel call takes and gives
// besides the tensors. The names and their order are those of the table in TypeScript.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bn {

/** Contract, clause 1. */
constexpr size_t lanes = 16;
constexpr size_t block_size = 2048;  // values of one channel, or rows with few columns
constexpr size_t block_rows = 128;   // rows in the rows traversal
constexpr size_t group_size = 32;    // blocks

/** The order in which a kernel goes through the data (contract, clause 1). */
enum class Traversal : uint8_t { planes, rows, few_columns };

/** What elements are kept in: their own type, or 16 bits of a float32. */
enum class Storage : uint8_t { own, half, bfloat };

/** Bits of the header's `flags`. */
namespace flag {
constexpr unsigned activation = 1, holds_y = 2, fixed = 4, leaky = 8, from_output = 16;
constexpr unsigned all = 31;
}  // namespace flag

/** Slots of the header, one float64 each. */
namespace slot {
enum : size_t {
  outer,
  channels,
  inner,
  traversal,
  flags,
  eps,
  count,
  slope,
  storage,
  threads,
  grain,
  stream_from,
  threads_used,
  header = 24
};
}  // namespace slot

/** What the header is followed by: `channels` float64 for each of these. */
struct Fields {
  double *weight, *bias, *mean, *m2, *inv_std, *center, *scale, *shift;
  double *sum_g, *sum_gx, *grad_shift, *grad_slope, *grad_scale;
};

constexpr double* Fields::*field_order[] = {
    &Fields::weight,     &Fields::bias,       &Fields::mean,       &Fields::m2,    &Fields::inv_std,
    &Fields::center,     &Fields::scale,      &Fields::shift,      &Fields::sum_g, &Fields::sum_gx,
    &Fields::grad_shift, &Fields::grad_slope, &Fields::grad_scale,
};
constexpr size_t fields = sizeof(field_order) / sizeof(field_order[0]);

/** Then so many arrays of `columns` float64, which native kernels leave alone. */
constexpr size_t states = 6;
/** Then so many arrays of `columns + scratch_pad`. */
constexpr size_t scratch_arrays = 6, scratch_pad = 256;
/** Then so many float64 for each column of each group. */
constexpr size_t group_values = 3;

}  // namespace bn
