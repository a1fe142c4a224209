// The instruction sets compiled for this architecture, best first.
#include "kernels.h"
#include "cpu.h"

namespace bn {

namespace scalar {
extern const Kernels kernels;
}
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
#endif

const InstructionSet instruction_sets[] = {
#if defined(BN_X64)
    {&avx512::kernels, avx512_unavailable},
    {&avx2::kernels, avx2_unavailable},
    {&sse2::kernels, always_available},
#elif defined(BN_ARM64)
    {&neon::kernels, always_available},
#endif
    {&scalar::kernels, always_available},
};

const size_t instruction_set_count = sizeof(instruction_sets) / sizeof(instruction_sets[0]);

}  // namespace bn
