// Tells ThreadSanitizer what Abseil's mutex does. Debian's Abseil is built
// without ThreadSanitizer, which therefore sees none of its locking and takes
// everything guarded by an absl::Mutex for a race. The linker's --wrap
// (.bazelrc, config tsan) sends our calls here.
//
// The names are Abseil's, mangled with the inline namespace of Debian's build;
// with another build the link fails, and says so.
#include <cstdint>

extern "C" {

// <sanitizer/tsan_interface.h> of GCC 12 does not come with C linkage for these.
void __tsan_acquire(void* address);
void __tsan_release(void* address);

// What happens within libraries that are not instrumented is not looked at.
const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }

// A condition is read by whichever thread unlocks, from within Abseil; gRPC's
// headers bring parts of its insides into our objects.
const char* __tsan_default_suppressions() {
  return "race:absl::debian3::Condition\nrace:absl::debian3::Mutex\nrace_top:grpc::\n";
}

// How absl::Duration and absl::Time are passed: by value, in two registers.
struct AbslTime {
  int64_t high;
  uint32_t low;
};

void __real__ZN4absl7debian35Mutex4LockEv(void* mutex);
void __wrap__ZN4absl7debian35Mutex4LockEv(void* mutex) {
  __real__ZN4absl7debian35Mutex4LockEv(mutex);
  __tsan_acquire(mutex);
}

void __real__ZN4absl7debian35Mutex6UnlockEv(void* mutex);
void __wrap__ZN4absl7debian35Mutex6UnlockEv(void* mutex) {
  __tsan_release(mutex);
  __real__ZN4absl7debian35Mutex6UnlockEv(mutex);
}

void __real__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(void* mutex, const void* condition);
void __wrap__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(void* mutex, const void* condition) {
  __tsan_release(mutex);
  __real__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(mutex, condition);
  __tsan_acquire(mutex);
}

bool __real__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(
    void* mutex, const void* condition, AbslTime timeout);
bool __wrap__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(
    void* mutex, const void* condition, AbslTime timeout) {
  __tsan_release(mutex);
  const bool result =
      __real__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(
          mutex, condition, timeout);
  __tsan_acquire(mutex);
  return result;
}

bool __real__ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE(
    void* mutex, const void* condition, AbslTime deadline);
bool __wrap__ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE(
    void* mutex, const void* condition, AbslTime deadline) {
  __tsan_release(mutex);
  const bool result = __real__ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE(
      mutex, condition, deadline);
  __tsan_acquire(mutex);
  return result;
}

}  // extern "C"
