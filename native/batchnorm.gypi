# The native addon. Instruction sets are chosen when it runs: no file needs flags of its own. -O3 would make it larger by
# a third, compile twice as long and gain nothing: the loops are vectorised by hand. -ftree-vectorize asks for the rest,
# at a dynamic cost; plain -O2 weighs the cost more strictly.
{
  "targets": [
    {
      "target_name": "batchnorm",
      "sources": ["addon.cc", "call.cc", "check.cc", "check_control.cc", "dispatch.cc", "later.cc", "machine.cc",
                  "outputs.cc", "pages.cc", "pool.cc", "self_check/self_check.cc"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS"],
      "variables": {
        # No fused multiply-add (contract). Loops vectorise only where no trap or errno can be observed.
        "arithmetic": ["-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"]
      },
      "cflags": ["-O2", "-ftree-vectorize", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"],
      # Exceptions for the pool alone: a thread that is refused is one.
      "cflags_cc": ["-std=c++20", "-fvisibility-inlines-hidden", "-fexceptions", "-fno-rtti", "<@(arithmetic)"],
      "ldflags": ["-Wl,--gc-sections"],
      "conditions": [
        ["target_arch=='x64'", {"sources": ["isa/sse2.cc", "isa/avx2.cc", "isa/avx512.cc"]}],
        ["target_arch=='arm64'", {"sources": ["isa/neon.cc"]}],
        # What costs nothing. -fstack-protector-strong would guard the kernels' arrays of numbers too: a backward of 8x16x8x8
        # took 1.1 times as long. Those arrays rely on the check, and sanitizers watch them.
        ["OS=='linux'", {
          "cflags": ["-fstack-protector", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"],
          "ldflags": ["-Wl,-z,relro,-z,now"]
        }],
        ["OS=='mac'", {
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
            "CLANG_CXX_LIBRARY": "libc++",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "GCC_OPTIMIZATION_LEVEL": "2",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
            "GCC_ENABLE_CPP_RTTI": "NO",
            "DEAD_CODE_STRIPPING": "YES",
            "OTHER_CPLUSPLUSFLAGS": ["<@(arithmetic)"]
          }
        }],
        # Clang of Visual Studio: the sources have GCC's inline assembly and target attributes.
        ["OS=='win'", {
          "msbuild_toolset": "ClangCL",
          "msvs_settings": {
            "VCCLCompilerTool": {
              "Optimization": 2,
              "ExceptionHandling": 1,
              "RuntimeTypeInfo": "false",
              "AdditionalOptions": ["/std:c++20", "/fp:precise", "<@(arithmetic)"]
            }
          }
        }]
      ]
    }
  ]
}
