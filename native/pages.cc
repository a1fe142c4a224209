// Linux gives huge pages to those who ask; other systems have no such call.
#include "pages.h"

#if defined(__linux__)
#include <sys/mman.h>

#include <cstdint>
#endif

namespace bn {

#if defined(__linux__)
void ask_for_huge_pages(void* data, size_t bytes) {
  constexpr uintptr_t page = uintptr_t(2) << 20;
  if (bytes < 2 * page) return;
  const uintptr_t address = reinterpret_cast<uintptr_t>(data);
  const uintptr_t begin = (address + page - 1) / page * page, end = (address + bytes) / page * page;
  // A refusal changes nothing but the time.
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}
#else
void ask_for_huge_pages(void*, size_t) {}
#endif

}  // namespace bn
