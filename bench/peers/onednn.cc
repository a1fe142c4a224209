// oneDNN as a peer of bench/peers: a line of words on stdin is a command, a line on stdout its answer.
// Tensors come and go as raw float32 files in the folder argv[2], in the order of memory. Every array begins
// argv[1] bytes behind the start of a cache line.
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

using dnnl::memory;
using dnnl::prop_kind;
using Forward = dnnl::batch_normalization_forward;
using Backward = dnnl::batch_normalization_backward;
using Flags = dnnl::normalization_flags;

namespace {

constexpr size_t line = 64;
const dnnl::engine engine(dnnl::engine::kind::cpu, 0);

Forward::primitive_desc describe(prop_kind kind, const memory::desc& data, float eps, Flags flags) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind, data, data, eps, flags};
#else
  return {{kind, data, eps, flags}, engine};
#endif
}

Backward::primitive_desc describe(const memory::desc& data, float eps, Flags flags,
                                  const Forward::primitive_desc& forward) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, prop_kind::backward, data, data, data, eps, flags, forward};
#else
  return {{prop_kind::backward, data, data, eps, flags}, engine, forward};
#endif
}

/** Dimensions in the order of memory; logical ones have the channels at 1. */
memory::desc tensor(memory::dims dims, bool last) {
  // oneDNN has fast code for four axes and five.
  while (dims.size() < 4) dims.insert(last ? dims.begin() + 1 : dims.end() - 1, 1);
  memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size() - 1; i > 0; i--) strides[i - 1] = strides[i] * dims[i];
  if (last) {
    std::rotate(dims.begin() + 1, dims.end() - 1, dims.end());
    std::rotate(strides.begin() + 1, strides.end() - 1, strides.end());
  }
  return {dims, memory::data_type::f32, strides};
}

using Arguments = std::unordered_map<int, memory>;
const Flags affine = Flags::use_scale | Flags::use_shift;

/** The arrays of one shape and layout, and a call for each operation. */
class Problem {
 public:
  Problem(const std::string& folder, size_t offset, float eps, bool last, const memory::dims& dims)
      : folder(folder), offset(offset) {
    const memory::desc data = tensor(dims, last);
    const memory::desc channels({last ? dims.back() : dims[1]}, memory::data_type::f32, memory::dims{1});
    const auto training = describe(prop_kind::forward_training, data, eps, affine);
    const Arguments common = {{DNNL_ARG_SRC, read("x", data)},
                              {DNNL_ARG_SCALE, read("weight", channels)},
                              {DNNL_ARG_SHIFT, read("bias", channels)}};
    const memory out = add("out", data), mean = add("mean", channels), variance = add("variance", channels);
    prepare("forward", Forward(training), common,
            {{DNNL_ARG_DST, out}, {DNNL_ARG_MEAN, mean}, {DNNL_ARG_VARIANCE, variance}});
    prepare("inference",
            Forward(describe(prop_kind::forward_inference, data, eps, affine | Flags::use_global_stats)),
            common,
            {{DNNL_ARG_DST, out},
             {DNNL_ARG_MEAN, read("runningMean", channels)},
             {DNNL_ARG_VARIANCE, read("runningVar", channels)}});
    prepare("backward", Backward(describe(data, eps, affine, training)), common,
            {{DNNL_ARG_DIFF_DST, read("dy", data)},
             {DNNL_ARG_MEAN, mean},
             {DNNL_ARG_VARIANCE, variance},
             {DNNL_ARG_DIFF_SRC, out},
             {DNNL_ARG_DIFF_SCALE, add("gradWeight", channels)},
             {DNNL_ARG_DIFF_SHIFT, add("gradBias", channels)}});
    // Its mean and variance are the backward's.
    sample("forward", 1);
  }

  /** Milliseconds a call. */
  double sample(const std::string& operation, int count) {
    const auto& [primitive, arguments] = calls.at(operation);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; i++) {
      primitive.execute(stream, arguments);
      stream.wait();
    }
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    return taken.count() / count;
  }

  void write(const std::string& name) {
    const memory& array = arrays.at(name);
    std::ofstream(folder + "/" + name, std::ios::binary)
        .write(static_cast<char*>(array.get_data_handle()), array.get_desc().get_size());
  }

 private:
  /** Zeros: no page is touched first when timed. */
  memory add(const std::string& name, const memory::desc& desc) {
    const size_t length = desc.get_size();
    char* start = static_cast<char*>(std::aligned_alloc(line, (offset + length + line - 1) / line * line));
    if (start == nullptr) throw std::bad_alloc();
    starts.emplace_back(start, std::free);
    std::fill_n(start + offset, length, char{0});
    return arrays[name] = memory(desc, engine, start + offset);
  }

  memory read(const std::string& name, const memory::desc& desc) {
    const memory array = add(name, desc);
    char* values = static_cast<char*>(array.get_data_handle());
    std::ifstream(folder + "/" + name, std::ios::binary).read(values, desc.get_size());
    return array;
  }

  void prepare(const char* operation, const dnnl::primitive& primitive, Arguments common, Arguments own) {
    own.merge(common);
    calls[operation] = {primitive, own};
  }

  const std::string folder;
  const size_t offset;
  dnnl::stream stream{engine};
  std::vector<std::unique_ptr<void, void (*)(void*)>> starts;
  std::unordered_map<std::string, memory> arrays;
  std::unordered_map<std::string, std::pair<dnnl::primitive, Arguments>> calls;
};

}  // namespace

int main(int, char** argv) {
  const dnnl_version_t* version = dnnl_version();
  std::cout << version->major << "." << version->minor << "." << version->patch << std::endl;
  std::unique_ptr<Problem> problem;
  std::string text, verb, word;
  while (std::getline(std::cin, text)) {
    std::istringstream words(text);
    words >> verb >> word;
    if (verb == "prepare") {
      float eps;
      words >> eps;
      const memory::dims dims{std::istream_iterator<memory::dim>(words), {}};
      problem.reset();
      const bool last = word == "channels-last" || dims.size() == 2;
      problem = std::make_unique<Problem>(argv[2], std::stoul(argv[1]), eps, last, dims);
      std::cout << "ready" << std::endl;
    } else if (verb == "sample") {
      int count;
      words >> count;
      std::cout << problem->sample(word, count) << std::endl;
    } else {
      do problem->write(word);
      while (words >> word);
      std::cout << "written" << std::endl;
    }
  }
}
