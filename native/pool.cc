// The pool: threads are made by the first task that may use them; after one they look out for the next
// for a moment, then sleep.
#include "pool.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "rest.h"
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
  size_t run(size_t threads, size_t count, Work work, const void* task, const Stop* stop);
  void stop();
  /** In the child of a fork: the threads are not there. */
  void abandon() { abandoned_ = true; }

 private:
  size_t share(size_t threads, size_t count, Work work, const void* task, const Stop* stop);
  void grow(size_t workers);
  void live();
  void join_in();

  std::atomic<bool> owned_{false};  // by the caller of run; no mutex: its try_lock needs glibc 2.34
  std::atomic<bool> abandoned_{false};
  std::vector<std::thread> workers_;
  size_t most_workers_ = max_threads - 1;
  Rest rest_;
  // The task, for those who have claimed a chunk of it: until it is done, its caller waits.
  Work work_ = nullptr;
  const void* task_ = nullptr;
  const Stop* stop_ = nullptr;
  size_t count_ = 0;
  Unclaimed unclaimed_;
  std::atomic<unsigned> done_{0};   // chunks, by workers
  std::atomic<unsigned> calls_{0};  // to a task, or to end
  std::atomic<bool> ends_{false};
};

/** A worker that wakes late finds nothing to claim, and touches nothing of a task. */
void Pool::join_in() {
  const int64_t first = unclaimed_.join();
  if (first <= 0) return;
  Chunks chunks(&unclaimed_, count_, first, stop_);
  work_(task_, chunks);
  done_ += static_cast<unsigned>(chunks.claimed());
  done_.notify_all();
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

/** Runs a task with at most `threads` − 1 workers. */
size_t Pool::share(size_t threads, size_t count, Work work, const void* task, const Stop* stop) {
  grow(threads - 1);
  work_ = work;
  task_ = task;
  stop_ = stop;
  count_ = count;
  done_ = 0;
  unclaimed_.open(count, threads - 1);
  calls_++;
  for (size_t i = 1; i < threads; i++) calls_.notify_one();
  const Rest::Clock::time_point start = Rest::Clock::now();
  Chunks chunks(&unclaimed_, count, 0, stop);
  work(task, chunks);
  const size_t own = chunks.claimed(), others = count - own;
  if (others > 0) {
    const Rest::Clock::time_point end = Rest::Clock::now();
    await(done_, [&] { return done_ == others; });
    const auto waited = Rest::Clock::now() - end;
    // Their chunks would have taken the caller as long as its own.
    if (own > 0) rest_.reckon((end - start) / int64_t(own) * int64_t(others) - waited);
  }
  return threads - unclaimed_.seats();
}

size_t Pool::run(size_t threads, size_t count, Work work, const void* task, const Stop* stop) {
  threads = std::min({threads, count, max_threads});
  if (threads > 1 && !abandoned_ && !owned_.exchange(true)) {
    const bool rests = rest_.lasts();
    const size_t worked = rests ? 0 : share(threads, count, work, task, stop);
    owned_ = false;
    if (!rests) return worked;
  }
  Unclaimed unclaimed;
  unclaimed.open(count, 0);
  Chunks chunks(&unclaimed, count, 0, stop);
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

/** Made while the addon is loaded: a fork in the middle would leave it half made, and locked, to the child.
 */
alignas(Pool) unsigned char pool_memory[sizeof(Pool)];

/** Never destroyed: in the child of a fork its threads could not be joined. */
Pool& pool = *new (pool_memory) Pool;

std::mutex environments_mutex;
size_t environments = 0;

#if defined(BN_POSIX)
/**
 * A fork waits until nobody holds the lock, which nobody would give back in the child. Registered without it:
 * older C libraries hold a lock of their own while they call these.
 */
[[maybe_unused]] const int registered =
    pthread_atfork([] { environments_mutex.lock(); }, [] { environments_mutex.unlock(); },
                   [] {
                     pool.abandon();
                     environments_mutex.unlock();
                   });
#endif

}  // namespace

size_t parallel(size_t threads, size_t count, Work work, const void* task, bool is_alone, const Stop* stop) {
  if (!is_alone) return pool.run(threads, count, work, task, stop);
  Unclaimed unclaimed;
  unclaimed.open(count, 0);
  for (size_t i = 0; i < threads; i++) {
    Chunks chunks(&unclaimed, count, 0, stop);
    work(task, chunks);
  }
  return 1;
}

void retain_pool() {
  const std::lock_guard<std::mutex> lock(environments_mutex);
  environments++;
}

void release_pool() {
  const std::lock_guard<std::mutex> lock(environments_mutex);
  if (--environments == 0) pool.stop();
}

}  // namespace bn
