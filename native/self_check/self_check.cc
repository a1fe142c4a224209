// The calls of src/backends/self-check/run.ts. Unlike there, the outputs lie between guards and off the lines
// of the cache, and what several threads would share is divided alike but done by the calling one.
#include "self_check.h"

#include <memory>
#include <new>
#include <type_traits>

#include "data.h"
#include "hash.h"
#include "memory.h"

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

Header header_of(const CheckCase& one, Storage storage) {
  Header h = {};
  h.outer = one.outer;
  h.channels = one.channels;
  h.inner = one.inner;
  h.traversal = traversal_of(one.channels, one.inner);
  h.storage = storage;
  h.eps = one.data == CheckData::constant ? 0 : 1e-5;
  h.slope = 0.3;
  h.low = -0.5;
  h.high = 2;
  h.threads = one.threads;
  h.grain = 1;
  return h;
}

/** A case of elements S, which are computed with in T. */
template <class S, class T>
class Check {
 public:
  Check(const KernelTable& table, size_t number, Storage storage, bool weighted, check::Memory& memory)
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
    for (check::Output<S>* output : {&out_, &stored_, &dresidual_}) {
      *output = {memory.take<S>(check::Output<S>::room(size)), size, 0};
    }
  }

  uint32_t run() {
    fill();
    call(&KernelTable::moments, 0, {.x = x_, .w = w()});
    show_fields(&Fields::mean, &Fields::m2);
    hash_.add(block_ + slot::count, 1);
    for (size_t i = 0; i < case_.count; i++) run_variant(case_.variants[i], number_ + i);
    if (case_.count == 0) {
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
    check::fill_parameters(case_, control);
    check::fill_operands(case_, x_, dy_, residual_, w_);
  }

  void run_variant(const CheckVariant& variant, size_t index) {
    S* residual = variant.has_residual ? residual_ : nullptr;
    const size_t lead = index * 5 % check::guard;
    kind_ = variant.kind;
    stream_ = index % 2 != 0;
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
    h.kind = kind_;
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

  void show(const check::Output<S>& output) {
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
  check::Output<S> out_, stored_, dresidual_;
  check::Hash hash_;
  Kind kind_ = Kind::rectifier;
  bool stream_ = false, guarded_ = true;
};

template <class S, class T>
bool check_all(const KernelTable& table, Storage storage, bool weighted, uint32_t* hashes) {
  size_t bytes = 0;
  for (size_t i = 0; i < check_case_count; i++) {
    check::Memory reckoned(nullptr);
    Check<S, T>(table, i, storage, weighted, reckoned);
    bytes = std::max(bytes, reckoned.taken());
  }
  const std::unique_ptr<std::byte[]> memory(new (std::nothrow) std::byte[bytes + check::Memory::line]);
  if (!memory) return false;
  for (size_t i = 0; i < check_case_count; i++) {
    check::Memory next(memory.get());
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
