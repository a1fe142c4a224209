// Which instruction sets this CPU and operating system run; null, or the reason why not.
#pragma once

#include "target.h"

#if defined(BN_X64)
#include <cpuid.h>
#endif

namespace bn {

inline const char* always_available() { return nullptr; }

#if defined(BN_X64)
struct Cpu {
  unsigned features = 0;  // leaf 7, EBX
  bool os_saves = false;  // XGETBV may be executed, and the CPU has AVX
  bool has_f16c = false;
  uint64_t registers = 0;  // XCR0: register files the operating system saves
};

inline Cpu read_cpu() {
  Cpu cpu;
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return cpu;
  cpu.os_saves = (c & bit_OSXSAVE) && (c & bit_AVX);
  cpu.has_f16c = c & bit_F16C;
  if (cpu.os_saves) {
    unsigned low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    cpu.registers = (static_cast<uint64_t>(high) << 32) | low;
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) cpu.features = b;
  return cpu;
}

inline const char* avx2_unavailable() {
  const Cpu cpu = read_cpu();
  if (!cpu.os_saves || !cpu.has_f16c || !(cpu.features & bit_AVX2)) return "this CPU has no AVX2 with F16C";
  constexpr uint64_t ymm = 0x6;
  return (cpu.registers & ymm) == ymm ? nullptr : "the operating system does not enable AVX registers";
}

inline const char* avx512_unavailable() {
  const Cpu cpu = read_cpu();
  constexpr unsigned needed = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
  if (!cpu.os_saves || (cpu.features & needed) != needed) return "this CPU has no AVX-512 (F, DQ, BW, VL)";
  constexpr uint64_t zmm = 0xe6;
  return (cpu.registers & zmm) == zmm ? nullptr : "the operating system does not enable AVX-512 registers";
}
#endif

}  // namespace bn
