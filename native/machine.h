// What the speed of this machine's memory depends on. No bit of a result does.
#pragma once

#include <cstddef>

namespace bn {

/** Size of the last-level cache, in bytes. */
extern const size_t cache_bytes;

/** Bytes by which kernels ask for the data of one stream ahead, and of each of two. */
struct StreamAhead {
  size_t one, two;
};
extern const StreamAhead stream_ahead_bytes;

}  // namespace bn
