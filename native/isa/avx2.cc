// The kernels compiled for AVX2.
#include "../kernels.h"
#include "../target.h"
BN_TARGET_BEGIN("avx2,f16c")
namespace bn::avx2 {
namespace {
#include "../vec/avx2.h"
#include "../kernels/all.inc"
#include "../kernels/all_16bit.inc"
}  // namespace
extern const Kernels kernels;
const Kernels kernels = {"avx2", f32::table, f64::table, &f16::table, &bf16::table};
}  // namespace bn::avx2
BN_TARGET_END
