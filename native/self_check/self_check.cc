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

/** A hash over 32 bits at a time, in 16 lanes: four vectors, which GCC and Clang have for every architecture.
 */
class Hash {
 public:
  template <class Value>
  void add(const Value* values, size_t count) {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(values);
    const uint8_t* const end = bytes + count * sizeof(Value);
    Vector a = lanes_[0], b = lanes_[1], c = lanes_[2], d = lanes_[3];
    for (; bytes + 64 <= end; bytes += 64) {
      a = step(a, load(bytes));
      b = step(b, load(bytes + 16));
      c = step(c, load(bytes + 32));
      d = step(d, load(bytes + 48));
    }
    lanes_[0] = a;
    lanes_[1] = b;
    lanes_[2] = c;
    lanes_[3] = d;
    for (size_t lane = 0; bytes < end; bytes += 4, lane++) {
      uint32_t word = 0;
      std::memcpy(&word, bytes, bytes + 4 <= end ? 4 : 2);
      lanes_[lane / 4][lane % 4] = step<uint32_t>(lanes_[lane / 4][lane % 4], word);
    }
  }

  uint32_t result() const {
    uint32_t hash = 0;
    for (const Vector& lane : lanes_) {
      for (size_t i = 0; i < 4; i++) hash = step<uint32_t>(hash, lane[i]);
    }
    return hash;
  }

 private:
  typedef uint32_t Vector __attribute__((vector_size(16)));

  static Vector load(const uint8_t* bytes) {
    Vector words;
    std::memcpy(&words, bytes, sizeof(words));
    return words;
  }

  /** A bijection of either argument, of operations that every instruction set has for vectors. */
  template <class Word>
  static Word step(Word hash, Word word) {
    hash += word;
    hash ^= hash << 13;
    return hash ^ (hash >> 17);
  }

  Vector lanes_[4] = {};
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
  Check(const KernelTable& table, size_t number, Storage storage, bool weighted, Memory& memory)
      : table_(table),
        number_(number),
        case_(check_cases[number]),
        header_(header_of(case_, storage)),
        weighted_(weighted) {
    const size_t size = header_.elements();
    block_ = memory.take<double>(header_.control_length());
    scratch_ = memory.take<double>(header_.scratch_length());
    for (S** input : {&x_, &dy_, &residual_}) *input = memory.take<S>(size);
    w_ = memory.take<T>(case_.outer * case_.inner);
    for (Output<S>* output : {&out_, &stored_, &dresidual_}) {
      *output = {memory.take<S>(Output<S>::room(size)), size, 0};
    }
  }

  uint32_t run() {
    fill();
    call(&KernelTable::moments, 0, {.x = x_, .w = w()});
    show_fields(&Fields::mean, &Fields::m2);
    hash_.add(block_ + slot::count, 1);
    for (size_t i = 0; i < case_.count; i++) run_variant(case_.variants[i], number_ + i);
    if (case_.count == 0) {
      make_affine(0);
      call(&KernelTable::grad_sums, 0, {.x = x_, .dy = dy_});
      show_fields(&Fields::sum_g, &Fields::sum_gx);
    }
    if (case_.count != 0) show_inputs();
    return guarded_ ? hash_.result() : ~hash_.result();
  }

 private:
  /** They are what they were. */
  void show_inputs() {
    for (S* input : {x_, dy_, residual_}) show(input, header_.elements());
    if (weighted_) show(w_, case_.outer * case_.inner);
  }

  void fill() {
    std::fill_n(block_, header_.control_length(), 0.0);
    block_[slot::count] = static_cast<double>(case_.outer * case_.inner);
    const Control control = control_of(0);
    for (size_t c = 0; c < case_.channels; c++) {
      const bool is_special = case_.data == CheckData::special;
      const double index = static_cast<double>(c);
      control.weight[c] = is_special && c % 2 == 1 ? -1 - index / 4 : 1 + index / 4;
      control.bias[c] = is_special && c % 4 == 2 ? -0.0 : (index - 8) / 7;
    }
    const size_t size = header_.elements(), positions = case_.outer * case_.inner;
    if (case_.data == CheckData::repeated) {
      check::fill_repeated(size, 1, x_);
      check::fill_repeated(size, 2, dy_);
      check::fill_repeated(size, 3, residual_);
      check::fill_weights(std::min(positions, check::period), 1, w_);
      return check::repeat(positions, w_);
    }
    if (case_.data == CheckData::special) {
      check::fill_special(case_, x_);
      check::fill_shaky(case_, check::ordinary, 2, check::High::none, 0, dy_);
      check::fill_shaky(case_, check::ordinary, 3, check::High::none, 0, residual_);
      return check::fill_weights(positions, 1, w_);
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
    show_fields(&Fields::mean, &Fields::m2, &Fields::inv_std, &Fields::center, &Fields::scale,
                &Fields::shift);
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
    show_fields(&Fields::sum_g, &Fields::sum_gx);
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
    show_fields(&Fields::sum_g, &Fields::sum_gx, &Fields::grad_shift, &Fields::grad_slope,
                &Fields::grad_scale);
    show(out_);
  }

  T* w() const { return weighted_ ? w_ : nullptr; }

  Control control_of(unsigned flags) const {
    Header h = header_;
    h.flags = flags;
    h.count = block_[slot::count];
    h.stream_from = stream_ ? 0 : INFINITY;
    Control control(h, block_, scratch_);
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
  void show_fields(Field... fields) {
    const Control control = control_of(0);
    (show(control.*fields, case_.channels), ...);
  }

  void show(const Output<S>& output) {
    show(output.data(), output.size);
    guarded_ &= output.is_guarded();
  }

  template <class Value>
  void show(Value* values, size_t count) {
    if (case_.data == CheckData::special) check::make_one_nan(count, values);
    hash_.add(values, count);
  }

  const KernelTable& table_;
  const size_t number_;
  const CheckCase& case_;
  const Header header_;
  const bool weighted_;
  double *block_, *scratch_;
  S *x_, *dy_, *residual_;
  T* w_;
  Output<S> out_, stored_, dresidual_;
  Hash hash_;
  bool stream_ = false, guarded_ = true;
};

template <class S, class T>
bool check_all(const KernelTable& table, Storage storage, bool weighted, uint32_t* hashes) {
  size_t bytes = 0;
  for (size_t i = 0; i < check_case_count; i++) {
    Memory reckoned(nullptr);
    Check<S, T>(table, i, storage, weighted, reckoned);
    bytes = std::max(bytes, reckoned.taken());
  }
  const std::unique_ptr<std::byte[]> memory(new (std::nothrow) std::byte[bytes + Memory::line]);
  if (!memory) return false;
  for (size_t i = 0; i < check_case_count; i++) {
    Memory next(memory.get());
    hashes[i] = Check<S, T>(table, i, storage, weighted, next).run();
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
