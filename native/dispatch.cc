// The instruction sets compiled for this architecture, best first.
#include "kernels.h"
#include "cpu.h"

namespace bn {

#if defined(BN_X64)
namespace sse2 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}
#elif defined(BN_ARM64)
namespace neon {
extern const Kernels kernels;
}
#else
#error "No instruction set is written for this architecture: the WebAssembly kernels are used instead."
#endif

const InstructionSet instruction_sets[] = {
#if defined(BN_X64)
    {&avx512::kernels, avx512_unavailable},
    {&avx2::kernels, avx2_unavailable},
    {&sse2::kernels, always_available},
#elif defined(BN_ARM64)
    {&neon::kernels, always_available},
#endif
};

const size_t instruction_set_count = sizeof(instruction_sets) / sizeof(instruction_sets[0]);

}  // namespace bn
