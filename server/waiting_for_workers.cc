#include "server/waiting_for_workers.h"

#include "absl/strings/str_cat.h"

namespace lockstep::server {

std::string SinceText(absl::Time time) {
  return absl::FormatTime("since %H:%M:%S UTC", time, absl::UTCTimeZone());
}

std::string WaitingForWorkers::Text() const {
  std::string text =
      absl::StrCat("waiting for workers: has ", ready, ", needs ", needed, ", ", SinceText(since));
  for (const std::string& name : quarantined) absl::StrAppend(&text, "; ", name, " is quarantined");
  if (preparing > 0) absl::StrAppend(&text, "; ", preparing, " loading the data");
  for (const auto& [name, why] : refusals) {
    absl::StrAppend(&text, "; ", name, " cannot take part: ", why);
  }
  return text;
}

}  // namespace lockstep::server
