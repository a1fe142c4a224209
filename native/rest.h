// When the pool rests, since threads cost more than they save.
#pragma once

#include <algorithm>
#include <chrono>

namespace bn {

/**
 * On a busy machine a worker may be stopped in its chunk, and its caller waits longer than it would have
 * worked. The pool rests when that has cost more than workers saved. A caller loses a thirtieth of the time
 * at most; and no rest follows one such call among good ones.
 */
class Rest {
 public:
  using Clock = std::chrono::steady_clock;

  bool lasts() const { return Clock::now() < until_; }

  /** What the workers of a call saved its caller, or below 0 cost it. */
  void reckon(Clock::duration saved) {
    credit_ = std::min(credit_ + saved, most_credit);
    if (credit_ > worst_credit) return;
    until_ = Clock::now() + std::min(-30 * credit_, longest);
    credit_ = {};
  }

 private:
  static constexpr Clock::duration most_credit = std::chrono::milliseconds(20);
  static constexpr Clock::duration worst_credit = std::chrono::microseconds(-100);
  static constexpr Clock::duration longest = std::chrono::seconds(5);

  Clock::duration credit_{};
  Clock::time_point until_{};
};

}  // namespace bn
