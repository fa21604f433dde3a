// SHA-256, by OpenSSL.
#ifndef LOCKSTEP_ENGINE_DATA_SHA256_H_
#define LOCKSTEP_ENGINE_DATA_SHA256_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct evp_md_ctx_st;

namespace lockstep::data {

// A digest of bytes that come in pieces. Threads: one thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(const void* data, size_t size_bytes);
  void Update(absl::string_view bytes) { Update(bytes.data(), bytes.size()); }
  // 64 lower-case hexadecimal digits. Afterwards the object starts anew.
  std::string FinishHex();

 private:
  evp_md_ctx_st* const context_;
};

// Of one piece.
std::string Sha256Hex(absl::string_view bytes);

// Of a file's bytes as they are on disk (not gunzipped).
// Errors: as InputFile::Open and Read.
absl::StatusOr<std::string> FileSha256(const std::string& path);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_SHA256_H_
