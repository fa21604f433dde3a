#include "engine/data/sha256.h"

#include <openssl/evp.h>

#include <vector>

#include "absl/strings/escaping.h"
#include "engine/check.h"
#include "engine/data/input_file.h"

namespace lockstep::data {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  LOCKSTEP_CHECK(context_ != nullptr, "memory for a digest");
  LOCKSTEP_CHECK_EQ(EVP_DigestInit_ex(context_, EVP_sha256(), nullptr), 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

void Sha256::Update(const void* data, size_t size_bytes) {
  LOCKSTEP_CHECK_EQ(EVP_DigestUpdate(context_, data, size_bytes), 1);
}

std::string Sha256::FinishHex() {
  std::string digest(32, '\0');
  LOCKSTEP_CHECK_EQ(
      EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(digest.data()), nullptr), 1);
  LOCKSTEP_CHECK_EQ(EVP_DigestInit_ex(context_, EVP_sha256(), nullptr), 1);
  return absl::BytesToHexString(digest);
}

std::string Sha256Hex(absl::string_view bytes) {
  Sha256 digest;
  digest.Update(bytes);
  return digest.FinishHex();
}

absl::StatusOr<std::string> FileSha256(const std::string& path) {
  absl::StatusOr<std::unique_ptr<InputFile>> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  Sha256 digest;
  std::vector<char> block(kFileBlockBytes);
  while (true) {
    absl::StatusOr<size_t> size_bytes = (*file)->Read(block.data(), block.size());
    if (!size_bytes.ok()) return size_bytes.status();
    if (*size_bytes == 0) return digest.FinishHex();
    digest.Update(block.data(), *size_bytes);
  }
}

}  // namespace lockstep::data
