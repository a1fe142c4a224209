// Threads parked between calls, each with a contiguous slice of the work: what a copy is measured with.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bench {

/** Units [begin, end) for one thread. */
using Slice = std::function<void(size_t begin, size_t end)>;

class Workers {
 public:
  ~Workers() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  /** Cuts `units` into `count` slices and runs them, the first one here. */
  void run(size_t units, size_t count, const Slice& slice) {
    const std::lock_guard<std::mutex> one_at_a_time(callers_);
    if (count == 1) return slice(0, units);
    while (threads_.size() + 1 < count) {
      const size_t index = threads_.size() + 1;
      threads_.emplace_back([this, index] { park(index); });
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      slice_ = &slice;
      units_ = units;
      count_ = count;
      pending_ = count - 1;
      generation_++;
    }
    wake_.notify_all();
    run_slice(slice, units, count, 0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return pending_ == 0; });
  }

 private:
  static void run_slice(const Slice& slice, size_t units, size_t count, size_t index) {
    const size_t each = (units + count - 1) / count, begin = std::min(index * each, units);
    slice(begin, std::min(begin + each, units));
  }

  void park(size_t index) {
    // A thread is made by the call that first needs it, before that call raises the generation.
    size_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stopping_ || (generation_ != seen && index < count_); });
      if (stopping_) return;
      seen = generation_;
      const Slice& slice = *slice_;
      const size_t units = units_, count = count_;
      lock.unlock();
      run_slice(slice, units, count, index);
      lock.lock();
      if (--pending_ == 0) done_.notify_one();
    }
  }

  std::mutex callers_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  const Slice* slice_ = nullptr;
  size_t units_ = 0, count_ = 0, pending_ = 0, generation_ = 0;
  bool stopping_ = false;
};

}  // namespace bench
