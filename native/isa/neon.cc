// The kernels compiled for NEON.
#include "../kernels.h"
#include "../target.h"
namespace bn::neon {
namespace {
#include "../vec/neon.h"
#include "../kernels/all.inc"
#include "../kernels/all_16bit.inc"
}  // namespace
extern const Kernels kernels;
const Kernels kernels = {"neon", f32::table, f64::table, &f16::table, &bf16::table};
}  // namespace bn::neon
