// The kernels compiled for one value at a time: what is left where an architecture has no set of its own. For
// size: x86-64 and arm64 always have a faster one.
#if defined(__GNUC__) && !defined(__clang__)
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
