// The pages of large outputs.
#pragma once

#include <cstddef>

namespace bn {

/**
 * Asks for huge pages for a large output. A fresh one is then cleared 2 MB at a time and not 4 KB: inference
 * of 256x64x56x56 into a new array 91 -> 45 ms, forward 105 -> 34, backward 111 -> 42. What has its pages
 * already keeps them.
 */
void ask_for_huge_pages(void* data, size_t bytes);

}  // namespace bn
