#include "tests/steady_state/allocation_watch.h"

#include <execinfo.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/debugging/symbolize.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lockstep::tests {
namespace {

constexpr int kMostStacks = 64;
constexpr int kMostFrames = 48;
// Record and the malloc that called it.
constexpr int kOwnFrames = 2;

// Plain data: nothing here may allocate.
struct Stack {
  int64_t calls;
  int frames;
  void* frame[kMostFrames];
};
Stack stacks[kMostStacks];
int stack_count = 0;
std::atomic_flag stacks_busy = ATOMIC_FLAG_INIT;  // guards both; held for a few instructions
std::atomic<bool> watching{false};
std::atomic<int64_t> calls{0};
thread_local bool recording = false;  // the walk up the stack may allocate itself

void Remember(const Stack& stack) {
  const auto same = [&](const Stack& other) {
    return other.frames == stack.frames &&
           std::memcmp(other.frame, stack.frame, stack.frames * sizeof(void*)) == 0;
  };
  while (stacks_busy.test_and_set(std::memory_order_acquire)) {
  }
  Stack* const end = stacks + stack_count;
  Stack* const known = std::find_if(stacks, end, same);
  if (known != end) {
    ++known->calls;
  } else if (stack_count < kMostStacks) {
    stacks[stack_count++] = stack;
  }
  stacks_busy.clear(std::memory_order_release);
}

[[maybe_unused]] __attribute__((noinline)) void Record() {
  if (!watching.load(std::memory_order_relaxed) || recording) return;
  recording = true;
  calls.fetch_add(1, std::memory_order_relaxed);
  Stack stack;
  stack.calls = 1;
  stack.frames = backtrace(stack.frame, kMostFrames);
  Remember(stack);
  recording = false;
}

std::string Describe(const Stack& stack) {
  std::string text = absl::StrCat(stack.calls, " calls of malloc from\n");
  for (int i = kOwnFrames; i < stack.frames; ++i) {
    char name[400];
    // A return address may be the next function's first byte.
    const bool known = absl::Symbolize(static_cast<char*>(stack.frame[i]) - 1, name, sizeof(name));
    const absl::string_view function = known ? name : "(unknown)";
    if (absl::StrContains(function, "WatchAllocations")) break;  // who called that is no news
    absl::StrAppend(&text, "    ", function, "\n");
  }
  return text;
}

}  // namespace

Allocations WatchAllocations(const std::function<void()>& run) {
  void* frame[1];
  backtrace(frame, 1);  // loads what it needs
  calls = 0;
  stack_count = 0;
  watching = true;
  run();
  watching = false;
  Allocations seen;
  seen.calls = calls;
  for (int i = 0; i < stack_count; ++i) seen.stacks += Describe(stacks[i]);
  return seen;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

bool CanWatchAllocations() { return false; }

#else

bool CanWatchAllocations() { return true; }

#endif

}  // namespace lockstep::tests

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// glibc's own, under names that a program's malloc does not hide.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  lockstep::tests::Record();
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  lockstep::tests::Record();
  return __libc_calloc(count, size);
}

void* realloc(void* block, size_t size) {
  lockstep::tests::Record();
  return __libc_realloc(block, size);
}

void* memalign(size_t alignment, size_t size) {
  lockstep::tests::Record();
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  lockstep::tests::Record();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** block, size_t alignment, size_t size) {
  lockstep::tests::Record();
  *block = __libc_memalign(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}
}

#endif
