// The size of the last-level cache, in bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "target.h"

#if defined(BN_X64)
#include <cpuid.h>
#endif

namespace bn {

/** Assumed where the CPU does not tell. */
constexpr size_t usual_cache = size_t(16) << 20;

#if defined(BN_X64)
/** The largest cache that leaf 4 (Intel) or 0x8000001D (AMD) lists; both have the same layout. */
inline size_t largest_cache(unsigned leaf) {
  size_t largest = 0;
  for (unsigned index = 0; index < 16; index++) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(leaf, index, &a, &b, &c, &d) || (a & 0x1f) == 0) break;
    const size_t ways = (b >> 22) + 1, partitions = ((b >> 12) & 0x3ff) + 1, line = (b & 0xfff) + 1;
    const size_t bytes = ways * partitions * line * (static_cast<size_t>(c) + 1);
    if (bytes > largest) largest = bytes;
  }
  return largest;
}

inline size_t last_level_cache() {
  const size_t intel = largest_cache(4), amd = largest_cache(0x8000001d);
  const size_t bytes = intel > amd ? intel : amd;
  return bytes == 0 ? usual_cache : bytes;
}
#else
inline size_t last_level_cache() { return usual_cache; }
#endif

}  // namespace bn
