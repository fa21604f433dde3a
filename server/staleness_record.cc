#include "server/staleness_record.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lockstep::server {
namespace {

constexpr char kUpdates[] = "staleness_updates";
constexpr char kSum[] = "staleness_sum";
constexpr char kMostUpdates[] = "staleness_most_updates";
constexpr char kMostSteps[] = "staleness_most_steps";

uint64_t Read(const std::map<std::string, std::string>& metadata, const char* key) {
  uint64_t value = 0;
  const auto found = metadata.find(key);
  return found != metadata.end() && absl::SimpleAtoi(found->second, &value) ? value : 0;
}

}  // namespace

void StalenessRecord::Add(uint64_t updates_behind, uint64_t steps_ahead) {
  ++updates_;
  sum_ += updates_behind;
  most_updates_ = std::max(most_updates_, updates_behind);
  most_steps_ = std::max(most_steps_, steps_ahead);
}

v1::Staleness StalenessRecord::Describe() const {
  v1::Staleness staleness;
  staleness.set_updates(updates_);
  staleness.set_most_updates(most_updates_);
  if (updates_ > 0) {
    staleness.set_mean_updates(static_cast<double>(sum_) / static_cast<double>(updates_));
  }
  staleness.set_most_steps(most_steps_);
  return staleness;
}

void StalenessRecord::Save(std::map<std::string, std::string>* metadata) const {
  (*metadata)[kUpdates] = absl::StrCat(updates_);
  (*metadata)[kSum] = absl::StrCat(sum_);
  (*metadata)[kMostUpdates] = absl::StrCat(most_updates_);
  (*metadata)[kMostSteps] = absl::StrCat(most_steps_);
}

void StalenessRecord::Load(const std::map<std::string, std::string>& metadata) {
  updates_ = Read(metadata, kUpdates);
  sum_ = Read(metadata, kSum);
  most_updates_ = Read(metadata, kMostUpdates);
  most_steps_ = Read(metadata, kMostSteps);
}

}  // namespace lockstep::server
