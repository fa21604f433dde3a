#include "tests/golden/golden_mlp.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/job_file/job_file.h"
#include "engine/check.h"
#include "engine/data/testing/test_files.h"
#include "tests/testing/process.h"

namespace lockstep::tests {

std::vector<std::string> GoldenVariants() {
  std::vector<std::string> variants;
  for (const auto& entry : std::filesystem::directory_iterator(Runfile("tests/golden/mlp"))) {
    if (entry.path().extension() == ".yaml") variants.push_back(entry.path().stem().string());
  }
  std::sort(variants.begin(), variants.end());
  return variants;
}

GoldenJob LoadGoldenJob(const std::string& variant) {
  GoldenJob golden;
  const std::string path = Runfile("tests/golden/mlp/") + variant;
  golden.job_file = path + ".yaml";
  client::LoadedJobFile loaded = client::LoadJobFile(golden.job_file);
  LOCKSTEP_CHECK(loaded.ok(), absl::StrJoin(loaded.problems, "\n"));
  golden.spec = std::move(loaded.spec);
  const std::string text = data::ReadTestFile(path + ".losses");
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    double loss = 0;
    LOCKSTEP_CHECK(absl::SimpleAtod(line, &loss), std::string(line));
    golden.losses.push_back(loss);
  }
  LOCKSTEP_CHECK_EQ(golden.losses.size(), golden.spec.steps());
  return golden;
}

}  // namespace lockstep::tests
