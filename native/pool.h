// One pool of threads for the process: a kernel hands it a task in chunks, and works along.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace bn {

/**
 * What nobody has taken of a task yet: chunks, and seats for the pool's threads. Both are in one word, so
 * that a thread takes its seat together with its first chunk: who has a seat has work.
 */
class Unclaimed {
 public:
  void open(size_t chunks, size_t seats) {
    word_ = static_cast<int64_t>(chunks) * chunk + static_cast<int64_t>(seats);
  }

  /** How many chunks there were before one was claimed; not positive where there was none. */
  int64_t claim() { return word_.fetch_sub(chunk) / chunk; }

  /** The same, where there is a seat too. */
  int64_t join() {
    int64_t word = word_;
    while (word >= chunk && seats_in(word) > 0) {
      if (word_.compare_exchange_weak(word, word - chunk - 1)) return word / chunk;
    }
    return 0;
  }

  size_t seats() const { return seats_in(word_); }

 private:
  /** A chunk's unit: above the seats, below which the word may sink by one for each thread. */
  static constexpr int64_t chunk = 256;
  static size_t seats_in(int64_t word) { return static_cast<size_t>(word & (chunk - 1)); }

  std::atomic<int64_t> word_{0};
};

/** Whether a call is to end before its work is done. Others may ask for it while the call runs. */
struct Stop {
  /** A word in memory that JavaScript shares; null: there is none. */
  const int32_t* word = nullptr;
  /** The environment of the call ends. */
  const std::atomic<bool>* ends = nullptr;

  bool is_asked() const {
    // std::atomic_ref of a constant is not in C++20.
    if (word != nullptr && __atomic_load_n(word, __ATOMIC_RELAXED) != 0) return true;
    return ends != nullptr && ends->load(std::memory_order_relaxed);
  }
};

/** One thread's view of a task's chunks 0 … count − 1, each of which one thread claims. */
class Chunks {
 public:
  /** `first` is the outcome of the claim that the thread joined with, or 0. */
  Chunks(Unclaimed* unclaimed, size_t count, int64_t first, const Stop* stop)
      : unclaimed_(unclaimed), count_(count), first_(first), stop_(stop) {}

  bool claim(size_t* chunk) {
    int64_t left;
    do {
      left = first_ > 0 ? std::exchange(first_, 0) : unclaimed_->claim();
      if (left <= 0) return false;
      claimed_++;
      // Chunks of a call that is to end are claimed, and nobody works on them: its caller waits for none.
    } while (stop_ != nullptr && stop_->is_asked());
    *chunk = count_ - static_cast<size_t>(left);
    return true;
  }

  size_t count() const { return count_; }
  size_t claimed() const { return claimed_; }

 private:
  Unclaimed* const unclaimed_;
  const size_t count_;
  int64_t first_;
  const Stop* const stop_;
  size_t claimed_ = 0;
};

/** Claims chunks and works on them until there are none. */
using Work = void (*)(const void* task, Chunks& chunks);

/** More than any memory keeps busy. */
constexpr size_t max_threads = 64;

/**
 * Runs a task on the calling thread and at most `threads` − 1 of the pool's; returns how many worked on it.
 * The caller does what nobody else claims, and waits for claimed chunks alone. It does all of it where the
 * pool works for another caller or rests, where the system refuses threads, and in the child of a fork. With
 * `is_alone` it plays all threads, one after another. Once `stop` is asked for, chunks that are left are not
 * worked on.
 */
size_t parallel(size_t threads, size_t chunks, Work work, const void* task, bool is_alone = false,
                const Stop* stop = nullptr);

/** Around the life of an environment that calls `parallel`: with the last one the threads end. */
void retain_pool();
void release_pool();

}  // namespace bn
