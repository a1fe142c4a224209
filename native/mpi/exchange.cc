#include "exchange.h"

#include <chrono>
#include <cstring>
#include <new>
#include <thread>

namespace bn::mpi {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::unique_ptr<double[]> zeros(size_t length) {
  return std::unique_ptr<double[]>(new (std::nothrow) double[length]());
}

/**
 * Ranks that are ready within some microseconds are met without giving the core away. Others may need this
 * core to become ready. Who waits longer sleeps in between: where ranks share cores, yielding alone made a
 * step four times as long.
 */
void pause(double waited) {
  if (waited > 10e-3) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  } else if (waited > 200e-6) {
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  } else if (waited > 20e-6) {
    std::this_thread::yield();
  }
}

/** What `tell` sends. It outlives the call if a rank does not take its notice. */
struct Sending {
  Notice notice;
  std::unique_ptr<MPI_Request[]> requests;
};

}  // namespace

bool Exchange::allocate() {
  const size_t ranks = static_cast<size_t>(size);
  block_ = zeros(block_length);
  blocks_ = zeros(block_length * ranks);
  heard_ = zeros(kinds * ranks);
  return block_ && blocks_ && heard_;
}

int Exchange::open(MPI_Comm parent) {
  if (!allocate()) return no_memory;
  return MPI_Comm_idup(parent, &comm_, &request_);
}

int Exchange::open(const Exchange& parent, const int* ranks, int count) {
  if (!allocate()) return no_memory;
  MPI_Group all = MPI_GROUP_NULL;
  MPI_Group some = MPI_GROUP_NULL;
  int error = MPI_Comm_group(parent.comm_, &all);
  if (error == MPI_SUCCESS) error = MPI_Group_incl(all, count, ranks, &some);
  if (error == MPI_SUCCESS) error = MPI_Comm_create_group(parent.comm_, some, 0, &comm_);
  if (some != MPI_GROUP_NULL) MPI_Group_free(&some);
  if (all != MPI_GROUP_NULL) MPI_Group_free(&all);
  if (error == MPI_SUCCESS) error = MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  if (error == MPI_SUCCESS) state_ = State::idle;
  return error;
}

int Exchange::close() { return comm_ == MPI_COMM_NULL ? MPI_SUCCESS : MPI_Comm_free(&comm_); }

int Exchange::start(const double* values, size_t length) {
  const bool is_short = length <= inline_length;
  if (!is_short && length > capacity_) {
    values_ = zeros(length);
    gathered_ = zeros(length * static_cast<size_t>(size));
    capacity_ = values_ && gathered_ ? length : 0;
    if (capacity_ == 0) return no_memory;
  }
  length_ = length;
  block_[0] = ++call_;
  block_[1] = static_cast<double>(length);
  // An empty array may have no address.
  if (length > 0) std::memcpy(is_short ? block_.get() + 2 : values_.get(), values, length * sizeof(double));
  state_ = State::agreeing;
  constexpr int count = static_cast<int>(block_length);
  return MPI_Iallgather(block_.get(), count, MPI_DOUBLE, blocks_.get(), count, MPI_DOUBLE, comm_, &request_);
}

/** All ranks have come. They find the same, since all compare the same blocks. */
int Exchange::agree() {
  for (int other = 0; other < size; other++) {
    if (block_of(other)[0] != block_of(0)[0] || length_of(other) != length_of(0)) {
      state_ = State::mismatch;
      return MPI_SUCCESS;
    }
  }
  if (length_ <= inline_length) {
    state_ = State::done;
    return MPI_SUCCESS;
  }
  state_ = State::gathering;
  const int count = static_cast<int>(length_);
  return MPI_Iallgather(values_.get(), count, MPI_DOUBLE, gathered_.get(), count, MPI_DOUBLE, comm_,
                        &request_);
}

int Exchange::progress() {
  int is_complete = 0;
  const int error = MPI_Test(&request_, &is_complete, MPI_STATUS_IGNORE);
  if (error != MPI_SUCCESS || !is_complete) return error;
  if (state_ == State::agreeing) return agree();
  if (state_ == State::gathering) {
    state_ = State::done;
    return MPI_SUCCESS;
  }
  state_ = State::idle;
  return MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
}

int Exchange::wait(double seconds) {
  const Clock::time_point start = Clock::now();
  while (is_pending()) {
    if (const int error = progress()) return error;
    if (!is_pending()) break;
    const double waited = seconds_since(start);
    // A rank that gave up does not come: who is not kept waiting need not look.
    if (state_ != State::opening && (waited > 100e-6 || waited >= seconds)) {
      if (const int error = read_notices()) return error;
      if (is_given_up()) break;
    }
    if (waited >= seconds) break;
    pause(waited);
  }
  return MPI_SUCCESS;
}

void Exchange::copy_result(double* result) const {
  if (length_ > inline_length) {
    std::memcpy(result, gathered_.get(), result_length() * sizeof(double));
    return;
  }
  if (length_ == 0) return;
  for (int other = 0; other < size; other++) {
    std::memcpy(result + length_ * static_cast<size_t>(other), block_of(other) + 2, length_ * sizeof(double));
  }
}

int Exchange::tell(Notice notice) {
  notice.done = is_pending() ? call_ - 1 : call_;
  std::unique_ptr<Sending> sending(new (std::nothrow) Sending{notice, nullptr});
  if (!sending) return no_memory;
  sending->requests.reset(new (std::nothrow) MPI_Request[static_cast<size_t>(size)]);
  if (!sending->requests) return no_memory;
  for (int other = 0; other < size; other++) sending->requests[other] = MPI_REQUEST_NULL;
  int error = MPI_SUCCESS;
  for (int other = 0; other < size && error == MPI_SUCCESS; other++) {
    if (other == rank) continue;
    error = MPI_Isend(&sending->notice, sizeof(Notice), MPI_BYTE, other, notice_tag, comm_,
                      &sending->requests[other]);
  }
  // MPI copies short messages at once, mostly. What it has not copied must stay, for good.
  int is_complete = 0;
  const Clock::time_point start = Clock::now();
  while (error == MPI_SUCCESS && !is_complete && seconds_since(start) < 50e-3) {
    error = MPI_Testall(size, sending->requests.get(), &is_complete, MPI_STATUSES_IGNORE);
    pause(seconds_since(start));
  }
  if (!is_complete) static_cast<void>(sending.release());
  return error;
}

int Exchange::read_notices() {
  for (;;) {
    int is_there = 0;
    MPI_Status status;
    int error = MPI_Iprobe(MPI_ANY_SOURCE, notice_tag, comm_, &is_there, &status);
    if (error != MPI_SUCCESS || !is_there) return error;
    Notice notice;
    error =
        MPI_Recv(&notice, sizeof(Notice), MPI_BYTE, status.MPI_SOURCE, notice_tag, comm_, MPI_STATUS_IGNORE);
    if (error != MPI_SUCCESS) return error;
    const int kind = static_cast<int>(notice.kind);
    if (kind < 0 || kind >= kinds) continue;
    heard_[kind * size + status.MPI_SOURCE] = notice.value;
    if (notice.kind == Kind::gave_up && given_up_rank_ < 0) {
      given_up_rank_ = status.MPI_SOURCE;
      given_up_ = notice;
      given_up_.text[sizeof(notice.text) - 1] = '\0';
    }
  }
}

}  // namespace bn::mpi
