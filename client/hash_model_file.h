// The identity of the model in a safetensors file.
#ifndef LOCKSTEP_CLIENT_HASH_MODEL_FILE_H_
#define LOCKSTEP_CLIENT_HASH_MODEL_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace lockstep::client {

// SHA-256 (hex) over the parameters (engine/data/model_hash.h): equal to the
// job's model_sha256 for a pulled model. Reads the whole file into memory.
// Errors: as data::ReadSafetensors, but a file that is no safetensors file at
// all gives DataLoss too.
absl::StatusOr<std::string> HashModelFile(const std::string& path);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_HASH_MODEL_FILE_H_
