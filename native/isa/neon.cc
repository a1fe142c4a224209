// The kernels compiled for NEON.
#include "../kernels.h"
#include "../target.h"
namespace bn::neon {
namespace {
#include "../vec/neon.h"
#include "../kernels/all.inc"
}  // namespace
extern const Kernels kernels;
const Kernels kernels = {"neon", f32::table, f64::table};
}  // namespace bn::neon
