// The calls and the hash of src/backends/self-check/run.ts. Unlike there, the outputs lie between guards and
// off the lines of the cache, and what several threads would share is divided alike but done by the calling
// one.
#include "self_check.h"

#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

#include "data.h"

namespace bn {
namespace {

namespace f32 {
using T = float;
#include "../coefficients.h"
}  // namespace f32
namespace f64 {
using T = double;
#include "../coefficients.h"
}  // namespace f64

/** A hash over 32 bits at a time, in lanes that are vectors. */
class Hash {
 public:
  template <class Value>
  void add(const Value* values, size_t count) {
    const uint8_t* const bytes = reinterpret_cast<const uint8_t*>(values);
    const size_t words = count * sizeof(Value) / 4;
    uint32_t own[lanes];  // a copy, which stays in registers
    std::copy_n(lanes_, lanes, own);
    size_t i = 0;
    for (; i + lanes <= words; i += lanes) {
      uint32_t next[lanes];
      std::memcpy(next, bytes + 4 * i, sizeof(next));
      for (size_t lane = 0; lane < lanes; lane++) own[lane] = step(own[lane], next[lane]);
    }
    std::copy_n(own, lanes, lanes_);
    for (; i < words; i++) add_word(i, bytes + 4 * i, 4);
    if (count * sizeof(Value) % 4 != 0) add_word(i, bytes + 4 * i, 2);
  }

  uint32_t result() const {
    uint32_t hash = 0;
    for (const uint32_t lane : lanes_) hash = step(hash, lane);
    return hash;
  }

 private:
  void add_word(size_t index, const uint8_t* bytes, size_t size) {
    uint32_t word = 0;
    std::memcpy(&word, bytes, size);
    lanes_[index % lanes] = step(lanes_[index % lanes], word);
  }

  /** A bijection of either argument, of operations that every instruction set has for vectors. */
  static uint32_t step(uint32_t hash, uint32_t word) {
    hash += word;
    hash ^= hash << 13;
    return hash ^ (hash >> 17);
  }

  uint32_t lanes_[lanes] = {};
};

/** Elements around an output that must keep their bits. */
constexpr size_t guard = 16;

/** An output that begins `lead` elements behind the beginning of a line, between guards. */
template <class S>
struct Output {
  S* memory;
  size_t size, lead;

  static size_t room(size_t size) { return size + 3 * guard; }
  S* data() const { return memory + guard + lead; }

  /** Bits that no result has: an element that is not written shows, and so does a guard that is. */
  S* blank(size_t next_lead) {
    std::memset(static_cast<void*>(memory), 0xff, room(size) * sizeof(S));
    lead = next_lead;
    return data();
  }

  bool is_guarded() const {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(memory);
    const size_t begin = (guard + lead) * sizeof(S), end = begin + size * sizeof(S);
    bool kept = true;
    for (size_t i = 0; i < begin; i++) kept &= bytes[i] == 0xff;
    for (size_t i = end; i < room(size) * sizeof(S); i++) kept &= bytes[i] == 0xff;
    return kept;
  }
};

Header header_of(const CheckCase& one, Storage storage) {
  const size_t sample = one.channels * one.inner;
  const Traversal traversal = one.inner >= lanes ? Traversal::planes
                              : sample < lanes   ? Traversal::few_columns
                                                 : Traversal::rows;
  Header h = {};
  h.outer = one.outer;
  h.channels = one.channels;
  h.inner = one.inner;
  h.traversal = traversal;
  h.storage = storage;
  h.eps = one.data == CheckData::constant ? 0 : 1e-5;
  h.slope = 0.3;
  h.threads = one.threads;
  h.grain = 1;
  return h;
}

/** Memory that is handed out piece by piece, each at the beginning of a line. */
class Memory {
 public:
  explicit Memory(void* begin) : next_(reinterpret_cast<uintptr_t>(begin)) {}

  template <class Value>
  Value* take(size_t count) {
    next_ = divide_up(next_, line) * line;
    Value* const array = reinterpret_cast<Value*>(next_);
    next_ += count * sizeof(Value);
    return array;
  }

  /** The bytes that were taken, where it begins at null: then none is used, and their number is all that
   * counts. */
  size_t taken() const { return next_; }

  static constexpr size_t line = 64;

 private:
  uintptr_t next_;
};

/** A case of elements S, which are computed with in T. */
template <class S, class T>
class Check {
 public:
  Check(const KernelTable& table, const CheckCase& one, Storage storage, bool weighted, Memory& memory)
      : table_(table), case_(one), header_(header_of(one, storage)), weighted_(weighted) {
    const size_t size = header_.elements();
    block_ = memory.take<double>(header_.control_length());
    for (S** input : {&x_, &dy_, &residual_}) *input = memory.take<S>(size);
    w_ = memory.take<T>(one.outer * one.inner);
    for (Output<S>* output : {&out_, &stored_, &dresidual_}) {
      *output = {memory.take<S>(Output<S>::room(size)), size, 0};
    }
  }

  uint32_t run() {
    fill();
    call(&KernelTable::moments, 0, {.x = x_, .w = w()});
    show(&Fields::mean, &Fields::m2);
    hash_.add(block_ + slot::count, 1);
    for (size_t i = 0; i < case_.count; i++) run_variant(case_.variants[i], i);
    if (case_.count == 0) {
      make_affine(0);
      call(&KernelTable::grad_sums, 0, {.x = x_, .dy = dy_});
      show(&Fields::sum_g, &Fields::sum_gx);
    }
    for (const S* input : {x_, dy_, residual_}) hash_.add(input, header_.elements());
    if (weighted_) hash_.add(w_, case_.outer * case_.inner);
    return guarded_ ? hash_.result() : ~hash_.result();
  }

 private:
  void fill() {
    std::fill_n(block_, header_.control_length(), 0.0);
    block_[slot::count] = static_cast<double>(case_.outer * case_.inner);
    const Control control = control_of(0);
    for (size_t c = 0; c < case_.channels; c++) {
      control.weight[c] = 1 + static_cast<double>(c) / 4;
      control.bias[c] = static_cast<double>(c) / 8 - 1;
    }
    const size_t size = header_.elements(), positions = case_.outer * case_.inner;
    if (case_.data == CheckData::repeated) {
      check::fill_repeated(size, 1, x_);
      check::fill_repeated(size, 2, dy_);
      check::fill_repeated(size, 3, residual_);
      check::fill_weights(std::min(positions, check::period), 1, w_);
      return check::repeat(positions, w_);
    }
    constexpr check::Extremes extremes =
        std::is_same_v<S, Half> ? check::Extremes{4, 1.0 / 64} : check::Extremes{1e20, 1e-22};
    check::fill_shaky(case_, extremes, 1, check::High::unsampled, 300, x_);
    check::fill_shaky(case_, extremes, 2, check::High::first, 1e4, dy_);
    check::fill_shaky(case_, extremes, 3, check::High::first, 1e4, residual_);
    check::fill_weights(positions, case_.channels * case_.inner < lanes ? 0x1p127 : 1, w_);
    if (case_.data == CheckData::shaky) return;
    for (size_t i = 0; i < size; i++) check::narrow(3, x_ + i);
    std::fill_n(w_, positions, T(0));
  }

  void run_variant(const CheckVariant& variant, size_t index) {
    S* residual = variant.has_residual ? residual_ : nullptr;
    const size_t lead = index * 5 % guard;
    stream_ = index % 2 != 0;
    make_affine(variant.flags);
    call(&KernelTable::normalize, variant.flags, {.x = x_, .y = out_.blank(lead), .residual = residual});
    show(out_);
    stream_ = !stream_;
    call(&KernelTable::forward, variant.flags,
         {.x = x_, .y = stored_.blank(lead), .residual = residual, .w = w()});
    show(&Fields::mean, &Fields::m2, &Fields::inv_std, &Fields::center, &Fields::scale, &Fields::shift);
    show(stored_);
    run_backward(variant, index, lead);
    if (!weighted_) return;
    call(&KernelTable::zero_masked, variant.flags, {.x = x_, .y = out_.blank(lead), .w = w_});
    show(out_);
  }

  void run_backward(const CheckVariant& variant, size_t index, size_t lead) {
    S* const residual_or_y = variant.flags & flag::holds_y ? stored_.data()
                             : variant.has_residual        ? residual_
                                                           : nullptr;
    S* const kept = variant.flags & flag::from_output ? stored_.data() : x_;
    call(&KernelTable::grad_sums, variant.flags, {.x = kept, .dy = dy_, .residual_or_y = residual_or_y});
    show(&Fields::sum_g, &Fields::sum_gx);
    make_grad(variant.flags);
    for (const unsigned fixed : {0u, flag::fixed}) {
      stream_ = (index % 2 != 0) != (fixed != 0);
      call(&KernelTable::grad_input, variant.flags | fixed,
           {.x = kept,
            .dy = dy_,
            .dx = out_.blank(lead),
            .residual_or_y = residual_or_y,
            .dresidual = dresidual_.blank(lead),
            .w = w()});
      show(out_);
      show(dresidual_);
    }
    call(&KernelTable::backward, variant.flags,
         {.x = kept, .dy = dy_, .dx = out_.blank(lead), .residual_or_y = residual_or_y, .w = w()});
    show(&Fields::sum_g, &Fields::sum_gx, &Fields::grad_shift, &Fields::grad_slope, &Fields::grad_scale);
    show(out_);
  }

  T* w() const { return weighted_ ? w_ : nullptr; }

  Control control_of(unsigned flags) const {
    Header h = header_;
    h.flags = flags;
    h.count = block_[slot::count];
    h.stream_from = stream_ ? 0 : INFINITY;
    Control control(h, block_);
    control.is_alone = true;
    return control;
  }

  void call(Kernel KernelTable::*kernel, unsigned flags, const Operands& operands) const {
    Control control = control_of(flags);
    (table_.*kernel)(control, operands);
  }

  void make_affine(unsigned flags) const {
    const Control control = control_of(flags);
    if constexpr (std::is_same_v<T, double>) {
      f64::batch_inv_std(control, control.header.count, 0, case_.channels);
      f64::affine_coefficients(control, 0, case_.channels);
    } else {
      f32::batch_inv_std(control, control.header.count, 0, case_.channels);
      f32::affine_coefficients(control, 0, case_.channels);
    }
  }

  void make_grad(unsigned flags) const {
    const Control control = control_of(flags);
    if constexpr (std::is_same_v<T, double>) {
      f64::grad_coefficients(control, control.header.count, 0, case_.channels);
    } else {
      f32::grad_coefficients(control, control.header.count, 0, case_.channels);
    }
  }

  template <class... Field>
  void show(Field... fields) {
    const Control control = control_of(0);
    (hash_.add(control.*fields, case_.channels), ...);
  }

  void show(const Output<S>& output) {
    hash_.add(output.data(), output.size);
    guarded_ &= output.is_guarded();
  }

  const KernelTable& table_;
  const CheckCase& case_;
  const Header header_;
  const bool weighted_;
  double* block_;
  S *x_, *dy_, *residual_;
  T* w_;
  Output<S> out_, stored_, dresidual_;
  Hash hash_;
  bool stream_ = false, guarded_ = true;
};

template <class S, class T>
bool check_all(const KernelTable& table, Storage storage, bool weighted, uint32_t* hashes) {
  size_t bytes = 0;
  for (const CheckCase& one : check_cases) {
    Memory reckoned(nullptr);
    Check<S, T>(table, one, storage, weighted, reckoned);
    bytes = std::max(bytes, reckoned.taken());
  }
  const std::unique_ptr<std::byte[]> memory(new (std::nothrow) std::byte[bytes + Memory::line]);
  if (!memory) return false;
  for (const CheckCase& one : check_cases) {
    Memory next(memory.get());
    *hashes++ = Check<S, T>(table, one, storage, weighted, next).run();
  }
  return true;
}

}  // namespace

bool self_check(const KernelTable& table, CheckType type, bool weighted, uint32_t* hashes) {
  switch (type) {
    case CheckType::float32:
      return check_all<float, float>(table, Storage::own, weighted, hashes);
    case CheckType::float64:
      return check_all<double, double>(table, Storage::own, weighted, hashes);
    case CheckType::float16:
      return check_all<Half, float>(table, Storage::float16, weighted, hashes);
    case CheckType::bfloat16:
      return check_all<BFloat, float>(table, Storage::bfloat16, weighted, hashes);
  }
  return false;
}

}  // namespace bn
