// Cuts a range into one piece per OpenMP thread.
#ifndef LOCKSTEP_ENGINE_KERNELS_PARALLEL_H_
#define LOCKSTEP_ENGINE_KERNELS_PARALLEL_H_

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace lockstep::kernels {

// Fewer elements than this are not worth waking a second thread.
inline constexpr int64_t kElementsPerThread = 16384;

// How many threads `items` are worth when each thread should have at least
// `items_per_thread`. 1 inside a parallel region: the threads are busy already.
inline int ThreadsFor(int64_t items, int64_t items_per_thread) {
  if (items < 2 * items_per_thread || omp_in_parallel()) return 1;
  return static_cast<int>(std::min<int64_t>(omp_get_max_threads(), items / items_per_thread));
}

// Calls run(begin, end) on at most `threads` disjoint runs that make up [0, items), each
// by one thread; all but the last begin and end at multiples of `multiple`.
// (OpenMP makes a team of one thread anew each time, so one thread needs none.)
template <class F>
void RunsOnThreads(int64_t items, int threads, int64_t multiple, const F& run) {
  if (threads <= 1) {
    if (items > 0) run(int64_t{0}, items);
    return;
  }
  const int64_t each = ((items + threads - 1) / threads + multiple - 1) / multiple * multiple;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
  for (int t = 0; t < threads; ++t) {
    const int64_t begin = std::min(items, t * each);
    const int64_t end = std::min(items, begin + each);
    if (begin < end) run(begin, end);
  }
}

// The same on as many threads as the items are worth.
template <class F>
void ParallelRuns(int64_t items, int64_t items_per_thread, int64_t multiple, const F& run) {
  RunsOnThreads(items, ThreadsFor(items, items_per_thread), multiple, run);
}

// While it lives, kernels that this thread calls use this thread alone: for
// work that is shared out among threads already.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int before_;
};

// For elements: pieces of whole cache lines.
template <class F>
void ParallelElements(int64_t size, const F& run) {
  ParallelRuns(size, kElementsPerThread, 16, run);
}

// For rows of `columns` elements.
template <class F>
void ParallelRows(int64_t rows, int64_t columns, const F& run) {
  const int64_t rows_per_thread =
      std::max<int64_t>(1, kElementsPerThread / std::max<int64_t>(1, columns));
  ParallelRuns(rows, rows_per_thread, 1, run);
}

// Calls run(task, thread) for every task of [0, tasks), each on whichever of
// `threads` threads is free; they are numbered from 0, and within a task all other
// functions here run on its thread.
template <class F>
void ParallelTasks(int64_t tasks, int threads, const F& run) {
  if (threads <= 1) {
    for (int64_t task = 0; task < tasks; ++task) run(task, 0);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t task = 0; task < tasks; ++task) run(task, omp_get_thread_num());
}

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_PARALLEL_H_
