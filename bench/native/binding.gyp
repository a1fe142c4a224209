# The copies and floors that the benchmark compares with. Built by "npm run bench", and no part of the package.
{
  "targets": [
    {
      "target_name": "bench",
      "sources": ["copy.cc", "passes.cc"],
      "defines": ["NAPI_VERSION=8"],
      "cflags": ["-O3", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"],
      "cflags_cc": ["-std=c++17"],
      "libraries": ["-pthread"]
    }
  ]
}
