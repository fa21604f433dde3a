#include "client/chaos_plan.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/philox.h"

namespace lockstep::client {
namespace {

constexpr char kKnown[] =
    "kill-worker=TIME, kill-server=TIME, stall-worker=TIME, drop-connection=TIME, "
    "corrupt-shard=PART";

constexpr ChaosFault kFaults[] = {ChaosFault::kKillWorker, ChaosFault::kKillServer,
                                  ChaosFault::kStallWorker, ChaosFault::kDropConnection};

// More often than this it only starts processes.
constexpr absl::Duration kLeastInterval = absl::Milliseconds(100);
// From what nobody notices to more than any lease.
constexpr absl::Duration kLongestStall = absl::Seconds(6);

absl::Status AddPart(absl::string_view part, ChaosPlan* plan) {
  const std::vector<std::string> halves = absl::StrSplit(part, absl::MaxSplits('=', 1));
  const std::string value = halves.size() == 2 ? halves[1] : "";
  if (halves[0] == "corrupt-shard") {
    if (absl::SimpleAtod(value, &plan->corrupt_shard) && plan->corrupt_shard >= 0 &&
        plan->corrupt_shard <= 1) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("--chaos: corrupt-shard: got '", value, "', want 0 to 1"));
  }
  for (const ChaosFault fault : kFaults) {
    if (ChaosFaultName(fault) != halves[0]) continue;
    absl::Duration interval;
    if (!absl::ParseDuration(value, &interval) || interval < kLeastInterval ||
        interval == absl::InfiniteDuration()) {
      return absl::InvalidArgumentError(absl::StrCat("--chaos: ", halves[0], ": got '", value,
                                                     "', want a time of 100ms or more, e.g. 5s"));
    }
    plan->recurring.push_back({fault, interval});
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--chaos: got '", part, "', want some of ", kKnown));
}

}  // namespace

std::string ChaosFaultName(ChaosFault fault) {
  switch (fault) {
    case ChaosFault::kKillWorker:
      return "kill-worker";
    case ChaosFault::kKillServer:
      return "kill-server";
    case ChaosFault::kStallWorker:
      return "stall-worker";
    case ChaosFault::kDropConnection:
      return "drop-connection";
  }
  return "";
}

absl::StatusOr<ChaosPlan> ChaosPlan::Parse(absl::string_view text) {
  ChaosPlan plan;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const absl::Status added = AddPart(part, &plan);
    if (!added.ok()) return added;
  }
  return plan;
}

ChaosSchedule::ChaosSchedule(const ChaosPlan& plan, uint64_t seed) : seed_(seed) {
  for (const ChaosPlan::Recurring& recurring : plan.recurring) {
    series_.push_back({recurring, absl::ZeroDuration()});
    Advance(series_.size() - 1);
  }
}

uint32_t ChaosSchedule::Word(size_t series, uint64_t count, uint64_t element) const {
  return RandomWord(seed_, RandomStream::kFaultInjection, series, count, element);
}

void ChaosSchedule::Advance(size_t series) {
  Series& mine = series_[series];
  ++mine.count;
  mine.next += mine.recurring.interval * (0.5 + UniformFloat(Word(series, mine.count, 0)));
}

std::optional<ChaosEvent> ChaosSchedule::TakeDue(absl::Duration elapsed) {
  if (series_.empty()) return std::nullopt;
  const auto earliest =
      std::min_element(series_.begin(), series_.end(),
                       [](const Series& a, const Series& b) { return a.next < b.next; });
  if (earliest->next > elapsed) return std::nullopt;
  const size_t index = static_cast<size_t>(earliest - series_.begin());
  ChaosEvent event;
  event.at = earliest->next;
  event.fault = earliest->recurring.fault;
  event.choice = Word(index, earliest->count, 1);
  event.duration = kLongestStall * UniformFloat(Word(index, earliest->count, 2));
  Advance(index);
  return event;
}

}  // namespace lockstep::client
