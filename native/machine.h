// What the speed of this machine's memory depends on. No bit of a result does.
#pragma once

#include <cstddef>

namespace bn {

/** Size of the last-level cache, in bytes. */
extern const size_t cache_bytes;

/** Bytes by which kernels ask for a stream of data ahead; 0 where the CPU does so better by itself. */
extern const size_t stream_ahead_bytes;

}  // namespace bn
