#include "client/job_file/job_overrides.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/job_file/job_file_problem.h"
#include "client/job_file/source_positions.h"
#include "client/job_file/yaml_to_proto.h"
#include "client/job_file/yaml_tree.h"
#include "engine/model/job_spec.h"

namespace lockstep::client {
namespace {

absl::Status Wrong(const std::string& setting, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("--set ", QuotedForMessage(setting), ": ", what));
}

// {a: {b: value}} for the path "a.b".
YamlNode Nested(const std::vector<std::string>& path, YamlNode value) {
  for (auto key = path.rbegin(); key != path.rend(); ++key) {
    YamlNode map;
    map.kind = YamlNode::Kind::kMap;
    map.entries.push_back({*key, {}, std::move(value)});
    value = std::move(map);
  }
  return value;
}

// What must make room for a new value.
void ClearReplaced(const std::string& field, v1::JobSpec* spec) {
  if (field == "epochs") spec->clear_steps();
  if (field == "steps") spec->clear_epochs();
  if (field == "model") spec->clear_model();
  if (field == "parameter_groups") spec->clear_parameter_groups();
}

absl::Status Apply(const std::string& setting, v1::JobSpec* spec) {
  const size_t equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Wrong(setting, "got no FIELD=VALUE, want e.g. optimizer.adam.learning_rate=0.01");
  }
  const std::vector<std::string> path = absl::StrSplit(setting.substr(0, equals), '.');
  if (path[0] == "data" || path[0] == "init_from") {
    return Wrong(setting, absl::StrCat("`", path[0], "` names files: give a job file that does"));
  }
  const YamlTree tree = ParseYaml(setting.substr(equals + 1));
  if (!tree.problems.empty()) return Wrong(setting, tree.problems.front().message);
  ClearReplaced(path[0], spec);
  SourcePositions positions;
  std::vector<JobFileProblem> problems;
  YamlToProto(Nested(path, tree.root), spec, &positions, &problems);
  if (problems.empty()) return absl::OkStatus();
  return Wrong(setting, absl::StrCat(problems.front().path, ": ", problems.front().message));
}

}  // namespace

absl::Status ApplyOverrides(const std::vector<std::string>& settings, v1::JobSpec* spec) {
  if (settings.empty()) return absl::OkStatus();
  v1::JobSpec changed = *spec;
  for (const std::string& setting : settings) {
    if (absl::Status status = Apply(setting, &changed); !status.ok()) return status;
  }
  FillJobDefaults(&changed);
  const std::vector<FieldProblem> problems = ValidateJobSpec(changed);
  if (!problems.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--set: ", problems.front().path, ": ", problems.front().message));
  }
  *spec = std::move(changed);
  return absl::OkStatus();
}

}  // namespace lockstep::client
