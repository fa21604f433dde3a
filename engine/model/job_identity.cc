#include "engine/model/job_identity.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "absl/strings/str_cat.h"
#include "engine/data/sha256.h"

namespace lockstep {
namespace {

void ClearPaths(v1::SourceChoice* source) {
  if (source->has_csv()) source->mutable_csv()->clear_path();
  if (source->has_text()) source->mutable_text()->clear_path();
  if (source->has_idx()) {
    source->mutable_idx()->clear_images();
    source->mutable_idx()->clear_labels();
  }
}

void ClearDigests(v1::SourceChoice* source) {
  if (source->has_csv()) source->mutable_csv()->clear_sha256();
  if (source->has_text()) source->mutable_text()->clear_sha256();
  if (source->has_idx()) {
    source->mutable_idx()->clear_images_sha256();
    source->mutable_idx()->clear_labels_sha256();
  }
}

std::string DigestsOf(const v1::SourceChoice& source) {
  if (source.has_csv()) return source.csv().sha256();
  if (source.has_text()) return source.text().sha256();
  return absl::StrCat(source.idx().images_sha256(), "\n", source.idx().labels_sha256());
}

// Equal messages, equal bytes.
std::string Bytes(const v1::JobSpec& spec) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    spec.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace

v1::JobSpec WithoutWhatChangesNoBit(v1::JobSpec spec) {
  spec.clear_name();
  spec.clear_workers();
  spec.clear_checkpoint();
  spec.clear_priority();
  spec.clear_retries();
  spec.clear_tensor_digests();
  spec.clear_init_from();
  if (spec.mutable_data()->has_train()) ClearPaths(spec.mutable_data()->mutable_train());
  if (spec.data().has_validation()) ClearPaths(spec.mutable_data()->mutable_validation());
  if (spec.has_forked_from()) spec.mutable_forked_from()->clear_job_id();
  return spec;
}

std::string JobSha256(const v1::JobSpec& spec) {
  v1::JobSpec decides = WithoutWhatChangesNoBit(spec);
  decides.clear_data_summary();
  decides.clear_init_from_sha256();
  if (decides.data().has_train()) ClearDigests(decides.mutable_data()->mutable_train());
  if (decides.data().has_validation()) ClearDigests(decides.mutable_data()->mutable_validation());
  return data::Sha256Hex(Bytes(decides));
}

std::string DataSha256(const v1::JobSpec& spec) {
  std::string text = absl::StrCat("train\n", DigestsOf(spec.data().train()), "\n");
  if (spec.data().has_validation()) {
    absl::StrAppend(&text, "validation\n", DigestsOf(spec.data().validation()), "\n");
  }
  if (!spec.init_from_sha256().empty()) {
    absl::StrAppend(&text, "init\n", spec.init_from_sha256(), "\n");
  }
  return data::Sha256Hex(text);
}

}  // namespace lockstep
