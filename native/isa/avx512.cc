// The kernels compiled for AVX-512.
#include "../kernels.h"
#include "../target.h"
BN_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl")
namespace bn::avx512 {
namespace {
#include "../vec/avx512.h"
#include "../kernels/all.inc"
#include "../kernels/all_16bit.inc"
}  // namespace
extern const Kernels kernels;
const Kernels kernels = {"avx512", f32::table, f64::table, &f16::table, &bf16::table};
}  // namespace bn::avx512
BN_TARGET_END
