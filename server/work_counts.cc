#include "server/work_counts.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lockstep::server {
namespace {

constexpr char kAudited[] = "count_shards_audited";
constexpr char kSpeculated[] = "count_shards_speculated";
constexpr char kDropped[] = "count_answers_dropped";

uint64_t Read(const std::map<std::string, std::string>& metadata, const char* key) {
  const auto found = metadata.find(key);
  uint64_t value = 0;
  return found != metadata.end() && absl::SimpleAtoi(found->second, &value) ? value : 0;
}

}  // namespace

void WorkCounts::Describe(v1::Progress* progress) const {
  progress->set_shards_audited(shards_audited);
  progress->set_shards_speculated(shards_speculated);
  progress->set_answers_dropped(answers_dropped);
}

void WorkCounts::Save(std::map<std::string, std::string>* metadata) const {
  (*metadata)[kAudited] = absl::StrCat(shards_audited);
  (*metadata)[kSpeculated] = absl::StrCat(shards_speculated);
  (*metadata)[kDropped] = absl::StrCat(answers_dropped);
}

void WorkCounts::Load(const std::map<std::string, std::string>& metadata) {
  shards_audited = Read(metadata, kAudited);
  shards_speculated = Read(metadata, kSpeculated);
  answers_dropped = Read(metadata, kDropped);
}

}  // namespace lockstep::server
