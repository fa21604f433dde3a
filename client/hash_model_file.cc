#include "client/hash_model_file.h"

#include "engine/data/model_hash.h"
#include "engine/data/safetensors.h"

namespace lockstep::client {

absl::StatusOr<std::string> HashModelFile(const std::string& path) {
  absl::StatusOr<data::SafetensorsFile> file = data::ReadSafetensors(path);
  if (absl::IsInvalidArgument(file.status())) return absl::DataLossError(file.status().message());
  if (!file.ok()) return file.status();
  return data::ModelSha256(file->tensors);
}

}  // namespace lockstep::client
