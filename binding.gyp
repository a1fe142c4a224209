# The native addon. Instruction sets are chosen when it runs: no file needs flags of its own. -O3 would make it larger by
# a third, compile twice as long and gain nothing: the loops are vectorised by hand.
{
  "targets": [
    {
      "target_name": "batchnorm",
      "sources": [
        "native/addon.cc",
        "native/check.cc",
        "native/dispatch.cc",
        "native/machine.cc",
        "native/pool.cc",
        "native/isa/scalar.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS"],
      "cflags": [
        "-O2", "-fvect-cost-model=dynamic", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections",
        "-Wall", "-Wextra", "-Werror"
      ],
      # No fused multiply-add (contract). Exceptions for the pool alone: a thread that is refused is one.
      # Loops vectorise only where no trap or errno can be observed.
      "cflags_cc": [
        "-std=c++20", "-fvisibility-inlines-hidden", "-fexceptions", "-fno-rtti",
        "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"
      ],
      "ldflags": ["-Wl,--gc-sections"],
      "conditions": [
        ["target_arch=='x64'", {
          "sources": ["native/isa/sse2.cc", "native/isa/avx2.cc", "native/isa/avx512.cc"]
        }],
        ["target_arch=='arm64'", {"sources": ["native/isa/neon.cc"]}]
      ]
    }
  ]
}
