#include "engine/optim/plateau.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lockstep::optim {
namespace {

constexpr char kFactor[] = "plateau_factor";
constexpr char kBest[] = "plateau_best";
constexpr char kBadEpochs[] = "plateau_bad_epochs";
constexpr char kCooldown[] = "plateau_cooldown";
constexpr char kLastStep[] = "plateau_last_step";

void Read(const std::map<std::string, std::string>& metadata, const char* key, double* value) {
  const auto found = metadata.find(key);
  double read = 0;
  if (found != metadata.end() && absl::SimpleAtod(found->second, &read)) *value = read;
}

void Read(const std::map<std::string, std::string>& metadata, const char* key, uint64_t* value) {
  const auto found = metadata.find(key);
  uint64_t read = 0;
  if (found != metadata.end() && absl::SimpleAtoi(found->second, &read)) *value = read;
}

}  // namespace

void Plateau::Observe(uint64_t step, double loss) {
  if (observed_ && step <= last_step_) return;
  last_step_ = step;
  if (!observed_ || loss < best_ * (1.0 - options_.threshold)) {
    best_ = loss;
    bad_epochs_ = 0;
  } else {
    ++bad_epochs_;
  }
  observed_ = true;
  if (cooldown_left_ > 0) {
    --cooldown_left_;
    bad_epochs_ = 0;
  }
  if (bad_epochs_ <= options_.patience) return;
  factor_ = std::max(factor_ * options_.factor, options_.least_factor);
  cooldown_left_ = options_.cooldown;
  bad_epochs_ = 0;
}

void Plateau::Save(std::map<std::string, std::string>* metadata) const {
  if (!observed_) return;
  (*metadata)[kFactor] = absl::StrFormat("%.17g", factor_);
  (*metadata)[kBest] = absl::StrFormat("%.17g", best_);
  (*metadata)[kBadEpochs] = absl::StrCat(bad_epochs_);
  (*metadata)[kCooldown] = absl::StrCat(cooldown_left_);
  (*metadata)[kLastStep] = absl::StrCat(last_step_);
}

void Plateau::Load(const std::map<std::string, std::string>& metadata) {
  observed_ = metadata.count(kBest) > 0;
  Read(metadata, kFactor, &factor_);
  Read(metadata, kBest, &best_);
  Read(metadata, kBadEpochs, &bad_epochs_);
  Read(metadata, kCooldown, &cooldown_left_);
  Read(metadata, kLastStep, &last_step_);
}

}  // namespace lockstep::optim
