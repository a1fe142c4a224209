// The pool: threads are made by the first task that may use them; after one they look out for the next
// for a moment, then sleep.
#include "pool.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "target.h"

#if defined(__unix__) || defined(__APPLE__)
#define BN_POSIX 1
#include <pthread.h>
#include <signal.h>
#endif

namespace bn {
namespace {

/**
 * How long a thread looks before it sleeps. Waking a sleeping one takes some 50 us on a virtual machine,
 * as much as the smallest task that is worth two threads.
 */
constexpr std::chrono::microseconds patience(100);

/** Returns when done() holds, which changes with `word`. */
template <class Done>
void await(const std::atomic<unsigned>& word, const Done& done) {
  const auto end = std::chrono::steady_clock::now() + patience;
  do {
    for (int i = 0; i < 64; i++) {
      if (done()) return;
      BN_PAUSE();
    }
  } while (std::chrono::steady_clock::now() < end);
  for (unsigned seen = word; !done(); seen = word) word.wait(seen);
}

class Pool {
 public:
  size_t run(size_t threads, size_t count, Work work, const void* task);
  void stop();
  /** In the child of a fork: the threads are not there. */
  void abandon() { abandoned_ = true; }

 private:
  size_t share(size_t threads);
  void grow(size_t workers);
  void live();
  void join_in();

  std::atomic<bool> owned_{false};  // by the caller of run; no mutex: its try_lock needs glibc 2.34
  std::atomic<bool> abandoned_{false};
  std::vector<std::thread> workers_;
  size_t most_workers_ = max_threads - 1;
  // The task, for those inside while it is open.
  Work work_ = nullptr;
  const void* task_ = nullptr;
  size_t count_ = 0;
  std::atomic<size_t> next_{0}, worked_{0};
  std::atomic<int> seats_{0};
  std::atomic<bool> open_{false};
  std::atomic<unsigned> inside_{0};
  std::atomic<unsigned> calls_{0};  // to a task, or to end
  std::atomic<bool> ends_{false};
};

void Pool::join_in() {
  inside_++;
  // Either the task is seen to be closed here, or its owner sees somebody inside.
  if (open_ && seats_-- > 0) {
    Chunks chunks(&next_, count_);
    work_(task_, chunks);
    if (chunks.worked()) worked_++;
  }
  inside_--;
  inside_.notify_all();
}

void Pool::live() {
  const DefaultFloatMode mode;
  for (unsigned seen = 0; !ends_;) {
    await(calls_, [&] { return calls_ != seen; });
    seen = calls_;
    join_in();
  }
}

/** Up to so many workers. A refusal of the system's is not asked for again. */
void Pool::grow(size_t workers) {
  workers = std::min(workers, most_workers_);
  if (workers_.size() >= workers) return;
#if defined(BN_POSIX)
  // Signals are for the program's own threads. This sets the calling thread's mask on Linux and macOS alike;
  // pthread_sigmask needs glibc 2.32.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
#endif
  try {
    workers_.reserve(workers);
    while (workers_.size() < workers) workers_.emplace_back(&Pool::live, this);
  } catch (const std::system_error&) {
    most_workers_ = workers_.size();
  } catch (const std::bad_alloc&) {
    most_workers_ = workers_.size();
  }
#if defined(BN_POSIX)
  sigprocmask(SIG_SETMASK, &before, nullptr);
#endif
}

/** Runs the task with at most `threads` − 1 workers. */
size_t Pool::share(size_t threads) {
  next_ = 0;
  worked_ = 0;
  seats_ = static_cast<int>(threads - 1);
  open_ = true;
  calls_++;
  for (size_t i = 1; i < threads; i++) calls_.notify_one();
  Chunks chunks(&next_, count_);
  work_(task_, chunks);
  open_ = false;
  await(inside_, [&] { return inside_ == 0; });
  return worked_ + 1;
}

size_t Pool::run(size_t threads, size_t count, Work work, const void* task) {
  threads = std::min({threads, count, max_threads});
  if (threads > 1 && !abandoned_ && !owned_.exchange(true)) {
    grow(threads - 1);
    work_ = work;
    task_ = task;
    count_ = count;
    const size_t worked = share(threads);
    owned_ = false;
    return worked;
  }
  std::atomic<size_t> next{0};
  Chunks chunks(&next, count);
  work(task, chunks);
  return 1;
}

void Pool::stop() {
  if (abandoned_) return;
  ends_ = true;
  calls_++;
  calls_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  ends_ = false;
}

/** Never destroyed: in the child of a fork its threads could not be joined. */
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

std::mutex environments_mutex;
size_t environments = 0;

}  // namespace

size_t parallel(size_t threads, size_t count, Work work, const void* task, bool is_alone) {
  if (!is_alone) return pool().run(threads, count, work, task);
  std::atomic<size_t> next{0};
  for (size_t i = 0; i < threads; i++) {
    Chunks chunks(&next, count);
    work(task, chunks);
  }
  return 1;
}

void retain_pool() {
  const std::lock_guard<std::mutex> lock(environments_mutex);
#if defined(BN_POSIX)
  static const int registered = pthread_atfork(nullptr, nullptr, [] { pool().abandon(); });
  (void)registered;
#endif
  environments++;
}

void release_pool() {
  const std::lock_guard<std::mutex> lock(environments_mutex);
  if (--environments == 0) pool().stop();
}

}  // namespace bn
