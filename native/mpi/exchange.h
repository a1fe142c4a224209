// What the ranks of one communicator exchange: one gather at a time, which never blocks, and short notices
// beside it.
#pragma once

// The C++ bindings, which MPI-3 has no more, would be linked in.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace bn::mpi {

/** Beside the error codes of MPI, which are not negative. */
constexpr int no_memory = -1;

/** What a rank tells all others: that it waits in a call, that it makes a smaller group, or that it gives up.
 */
enum class Kind : int32_t { waiting, splitting, gave_up };
constexpr int kinds = 3;

struct Notice {
  Kind kind;
  /** The number of the call, or a hash of the list of ranks, or the rank that is to blame, plus 1. */
  double value;
  /** The number of the newest gather that is done on the rank that sends it. */
  double done;
  /** A reason, which ends with a zero. */
  char text[240];
};

enum class State { opening, idle, agreeing, gathering, done, mismatch };

/**
 * A gather has one or two collectives. The first has blocks of one size, so that ranks with arrays of
 * different lengths find that out: MPI itself would then hang, or mix arrays up. Short arrays are in that
 * block.
 */
class Exchange {
 public:
  Exchange(int own, int count) : rank(own), size(count) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const int rank;
  const int size;

  /** Starts to copy a communicator. All its ranks must do so. */
  int open(MPI_Comm parent);
  /** Makes a communicator of these ranks of another exchange. It waits for them without a limit. */
  int open(const Exchange& parent, const int* ranks, int count);
  /** Nothing may be pending. */
  int close();

  bool is_pending() const { return state_ <= State::gathering && state_ != State::idle; }
  State state() const { return state_; }

  /** Nothing may be pending. The values are copied: who called may change or detach them. */
  int start(const double* values, size_t length);
  /** Waits until the gather is done, or a rank has given up, or the time has passed. */
  int wait(double seconds);
  size_t result_length() const { return length_ * static_cast<size_t>(size); }
  void copy_result(double* result) const;
  /** How long the array of a rank is, once all ranks have come. */
  double length_of(int other) const { return block_of(other)[1]; }

  /** Sends a notice to every other rank. `own` stays as it is: only others are heard. */
  int tell(Notice notice);
  int read_notices();
  /** The value of the newest notice of a kind from a rank, or 0. */
  double heard(Kind kind, int other) const { return heard_[static_cast<int>(kind) * size + other]; }
  /** The rank that gave up first, or −1. */
  int given_up_rank() const { return given_up_rank_; }
  /** Whether it gave up before it did its part in the newest gather. One that it has done will be done here
   * too. */
  bool is_given_up() const { return given_up_rank_ >= 0 && given_up_.done < call_; }
  const char* given_up_text() const { return given_up_.text; }
  /** The number of the newest call. */
  double call() const { return call_; }

 private:
  static constexpr size_t inline_length = 254;
  static constexpr size_t block_length = 2 + inline_length;
  static constexpr int notice_tag = 1;

  bool allocate();
  const double* block_of(int other) const { return blocks_.get() + block_length * other; }
  int progress();
  int agree();

  MPI_Comm comm_ = MPI_COMM_NULL;
  MPI_Request request_ = MPI_REQUEST_NULL;
  State state_ = State::opening;
  double call_ = 0;
  size_t length_ = 0;
  /** The number of the call and the length, then a short array; and those of all ranks. */
  std::unique_ptr<double[]> block_, blocks_;
  /** A long array, and those of all ranks. They grow and never shrink. */
  std::unique_ptr<double[]> values_, gathered_;
  size_t capacity_ = 0;
  std::unique_ptr<double[]> heard_;
  int given_up_rank_ = -1;
  Notice given_up_ = {};
};

}  // namespace bn::mpi
