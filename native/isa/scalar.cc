// The kernels compiled for one value at a time: what is left where an architecture has no set of its own. For
// size where there is always a faster one: a value of A takes 14 to 37 ns then, else 2 to 5.
#if defined(__GNUC__) && !defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__))
#pragma GCC optimize("Os")
#endif
#include "../kernels.h"
#include "../target.h"
namespace bn::scalar {
namespace {
#include "../vec/scalar.h"
#include "../kernels/all.inc"
}  // namespace
extern const Kernels kernels;
const Kernels kernels = {"scalar", f32::table, f64::table, nullptr, nullptr};
}  // namespace bn::scalar
