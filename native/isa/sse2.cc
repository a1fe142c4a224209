// The kernels compiled for SSE2.
#include "../kernels.h"
#include "../target.h"
BN_TARGET_BEGIN("sse2")
namespace bn::sse2 {
namespace {
#include "../vec/sse2.h"
#include "../kernels/all.inc"
}  // namespace
extern const Kernels kernels;
const Kernels kernels = {"sse2", f32::table, f64::table, nullptr, nullptr};
}  // namespace bn::sse2
BN_TARGET_END
