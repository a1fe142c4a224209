// The kernels compiled for AVX2.
#include "../kernels.h"
#include "../target.h"
BN_TARGET_BEGIN("avx2")
namespace bn::avx2 {
namespace {
#include "../vec/avx2.h"
#include "../kernels/all.inc"
}  // namespace
extern const Kernels kernels;
const Kernels kernels = {"avx2", f32::table, f64::table};
}  // namespace bn::avx2
BN_TARGET_END
