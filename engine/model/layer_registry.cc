#include "engine/model/layer_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockstep {
namespace {

constexpr size_t kMaxNameLength = 64;

}  // namespace

int64_t LayerOptions::WholeNumber(const std::string& name, int64_t least, int64_t most,
                                  std::optional<int64_t> otherwise) {
  const std::string* text = Find(name);
  if (text == nullptr && otherwise.has_value()) return *otherwise;
  int64_t value = 0;
  if (text != nullptr && absl::SimpleAtoi(*text, &value) && value >= least && value <= most) {
    return value;
  }
  Refuse(name, text, absl::StrCat("a whole number from ", least, " to ", most));
  return least;
}

double LayerOptions::Number(const std::string& name, double least, double most,
                            std::optional<double> otherwise) {
  const std::string* text = Find(name);
  if (text == nullptr && otherwise.has_value()) return *otherwise;
  double value = 0;
  if (text != nullptr && absl::SimpleAtod(*text, &value) && value >= least && value <= most) {
    return value;
  }
  Refuse(name, text, absl::StrCat("a number from ", least, " to ", most));
  return least;
}

bool LayerOptions::Flag(const std::string& name, bool otherwise) {
  const std::string* text = Find(name);
  if (text == nullptr) return otherwise;
  if (*text == "true" || *text == "false") return *text == "true";
  Refuse(name, text, "true or false");
  return otherwise;
}

std::string LayerOptions::Word(const std::string& name, const std::vector<std::string>& allowed,
                               std::optional<std::string> otherwise) {
  const std::string* text = Find(name);
  if (text == nullptr && otherwise.has_value()) return *otherwise;
  if (text != nullptr && std::find(allowed.begin(), allowed.end(), *text) != allowed.end()) {
    return *text;
  }
  Refuse(name, text, absl::StrCat("one of: ", absl::StrJoin(allowed, ", ")));
  return allowed.front();
}

std::optional<LayerOptions::Problem> LayerOptions::FirstProblem() const {
  if (problem_.has_value()) return problem_;
  for (const auto& [name, value] : values_) {
    if (asked_.count(name) > 0) continue;
    return Problem{name, absl::StrCat("unknown option, known: ",
                                      asked_.empty() ? "none" : absl::StrJoin(asked_, ", "))};
  }
  return std::nullopt;
}

const std::string* LayerOptions::Find(const std::string& name) {
  asked_.insert(name);
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

void LayerOptions::Refuse(const std::string& name, const std::string* got,
                          const std::string& wanted) {
  if (problem_.has_value()) return;
  problem_ = Problem{name, got == nullptr ? absl::StrCat("missing, want ", wanted)
                                          : absl::StrCat("got '", *got, "', want ", wanted)};
}

absl::Status LayerRegistry::Add(const std::string& name, Factory factory) {
  const bool well_formed = !name.empty() && name.size() <= kMaxNameLength &&
                           std::all_of(name.begin(), name.end(), [](char c) {
                             return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
                           });
  if (!well_formed) {
    return absl::InvalidArgumentError(absl::StrCat("custom layer: got the name '", name,
                                                   "', want 1 to ", kMaxNameLength,
                                                   " characters of a-z 0-9 _"));
  }
  if (!factories_.emplace(name, std::move(factory)).second) {
    return absl::AlreadyExistsError(
        absl::StrCat("custom layer: got the name '", name, "' twice, want each once"));
  }
  return absl::OkStatus();
}

const LayerRegistry::Factory* LayerRegistry::Find(const std::string& name) const {
  const auto found = factories_.find(name);
  return found == factories_.end() ? nullptr : &found->second;
}

std::vector<std::string> LayerRegistry::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, factory] : factories_) names.push_back(name);
  return names;
}

}  // namespace lockstep
