// The kernels compiled for one value at a time: the baseline of every architecture.
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
