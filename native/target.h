// Compiler-dependent parts: regions compiled for an instruction set, and the float mode of a call.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#define BN_X64 1
#include <immintrin.h>
#elif defined(__aarch64__) || defined(_M_ARM64)
#define BN_ARM64 1
#include <arm_neon.h>
#endif

#if defined(BN_X64)
#define BN_STREAM_FENCE() _mm_sfence()
#else
#define BN_STREAM_FENCE() ((void)0)
#endif

#define BN_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define BN_TARGET_BEGIN(isa) \
  BN_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define BN_TARGET_END BN_PRAGMA(clang attribute pop)
#elif defined(__GNUC__)
#define BN_TARGET_BEGIN(isa) BN_PRAGMA(GCC push_options) BN_PRAGMA(GCC target(isa))
#define BN_TARGET_END BN_PRAGMA(GCC pop_options)
#else
#define BN_TARGET_BEGIN(isa)
#define BN_TARGET_END
#endif

#if defined(_MSC_VER)
#define BN_INLINE __forceinline
#define BN_NOINLINE __declspec(noinline)
#define BN_INLINE_LAMBDA
#define BN_PREFETCH(address) ((void)(address))
#define BN_PAUSE() ((void)0)
#else
#define BN_INLINE inline __attribute__((always_inline))
#define BN_NOINLINE __attribute__((noinline))
#define BN_INLINE_LAMBDA __attribute__((always_inline))
#define BN_PREFETCH(address) __builtin_prefetch(reinterpret_cast<const void*>(address))
#if defined(__x86_64__)
#define BN_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define BN_PAUSE() asm volatile("yield")
#else
#define BN_PAUSE() ((void)0)
#endif
#endif

namespace bn {

/**
 * While it lives, floats round to nearest even, denormals are kept and exceptions are masked: another
 * addon in the process may have changed that, and the bits would depend on it.
 */
class DefaultFloatMode {
 public:
#if defined(BN_X64)
  DefaultFloatMode() : saved_(_mm_getcsr()) {
    if (changed()) _mm_setcsr(default_mode);
  }
  ~DefaultFloatMode() {
    if (changed()) _mm_setcsr(saved_);
  }

 private:
  static constexpr unsigned default_mode = 0x1f80, status_bits = 0x3f;
  bool changed() const { return (saved_ & ~status_bits) != default_mode; }
  const unsigned saved_;
#elif defined(BN_ARM64) && !defined(_MSC_VER)
  DefaultFloatMode() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    if (saved_ != 0) write(0);
  }
  ~DefaultFloatMode() {
    if (saved_ != 0) write(saved_);
  }

 private:
  static void write(uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode) : "memory"); }
  uint64_t saved_;
#else
  DefaultFloatMode() {}
#endif

 public:
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;
};

}  // namespace bn
