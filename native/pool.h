// One pool of threads for the process: a kernel hands it a task in chunks, and works along.
#pragma once

#include <atomic>
#include <cstddef>

namespace bn {

/** One thread's view of a task's chunks 0 … count − 1, each of which one thread claims. */
class Chunks {
 public:
  Chunks(std::atomic<size_t>* next, size_t count) : next_(next), count_(count) {}

  bool claim(size_t* chunk) {
    *chunk = next_->fetch_add(1, std::memory_order_relaxed);
    const bool claimed = *chunk < count_;
    worked_ |= claimed;
    return claimed;
  }

  size_t count() const { return count_; }
  bool worked() const { return worked_; }

 private:
  std::atomic<size_t>* const next_;
  const size_t count_;
  bool worked_ = false;
};

/** Claims chunks and works on them until there are none. */
using Work = void (*)(const void* task, Chunks& chunks);

/** More than any memory keeps busy. */
constexpr size_t max_threads = 64;

/**
 * Runs a task on the calling thread and at most `threads` − 1 of the pool's; returns how many worked on it.
 * The caller does what nobody else claims: all of it where the pool works for another caller, where the
 * system refuses threads, and in the child of a fork. With `is_alone` it plays all threads, one after
 * another.
 */
size_t parallel(size_t threads, size_t chunks, Work work, const void* task, bool is_alone = false);

/** Around the life of an environment that calls `parallel`: with the last one the threads end. */
void retain_pool();
void release_pool();

}  // namespace bn
