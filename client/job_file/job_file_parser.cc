#include "client/job_file/job_file_parser.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/job_file/job_file_text.h"
#include "client/job_file/yaml_scalar.h"
#include "client/job_file/yaml_to_proto.h"
#include "client/job_file/yaml_tree.h"
#include "engine/model/job_spec.h"

namespace lockstep::client {
namespace {

constexpr size_t kMaxNameLength = 128;

// The file's name without folder and ending, as far as a job's name can be that.
std::string NameFromPath(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash != absl::string_view::npos) path.remove_prefix(slash + 1);
  const size_t dot = path.rfind('.');
  if (dot != absl::string_view::npos && dot > 0) path = path.substr(0, dot);
  std::string name(path.substr(0, kMaxNameLength));
  for (char& c : name) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') c = '-';
  }
  return name.empty() ? "job" : name;
}

// Whether `inner` is `outer` or lies within it.
bool Encloses(absl::string_view outer, absl::string_view inner) {
  if (!absl::StartsWith(inner, outer)) return false;
  return inner.size() == outer.size() || outer.empty() || inner[outer.size()] == '.' ||
         inner[outer.size()] == '[';
}

// Whether what is wrong with the text already explains what is wrong with the
// specification: a field that could not be read is also missing.
bool Explains(const JobFileProblem& problem, const FieldProblem& consequence) {
  const std::string& path = consequence.path;
  if (Encloses(path, problem.path)) return true;
  if (!problem.path.empty() && Encloses(problem.path, path)) return true;
  if (!problem.meant_path.empty() && Encloses(problem.meant_path, path)) return true;
  // One of two that are alternatives was written, only not readable.
  return path == "epochs" && (problem.path == "steps" || problem.meant_path == "steps");
}

void AddFieldProblems(ParsedJobFile* parsed) {
  const std::vector<JobFileProblem> causes = parsed->problems;
  for (const FieldProblem& problem : ValidateJobSpec(parsed->spec)) {
    const bool explained =
        std::any_of(causes.begin(), causes.end(),
                    [&](const JobFileProblem& cause) { return Explains(cause, problem); });
    if (explained) continue;
    const bool missing = !problem.wanted.empty() && !parsed->positions.Has(problem.path);
    parsed->problems.push_back(
        {parsed->positions.Nearest(problem.path), problem.path,
         missing ? absl::StrCat("missing, want ", problem.wanted) : problem.message});
  }
}

JobFileProblem NoMapProblem(const YamlNode& root) {
  const bool empty = root.kind == YamlNode::Kind::kNull;
  return {{1, 1},
          "",
          absl::StrCat("got ", empty ? "an empty file" : Describe(root),
                       ", want a map of fields (data, model, loss, ...)")};
}

}  // namespace

ParsedJobFile ParseJobFile(absl::string_view text, absl::string_view path) {
  ParsedJobFile parsed;
  if (std::optional<JobFileProblem> problem = CheckJobFileText(text)) {
    parsed.problems.push_back(*std::move(problem));
    return parsed;
  }
  YamlTree tree = ParseYaml(text);
  parsed.problems = std::move(tree.problems);
  if (tree.root.kind != YamlNode::Kind::kMap) {
    if (parsed.problems.empty()) parsed.problems.push_back(NoMapProblem(tree.root));
    SortProblems(&parsed.problems);
    return parsed;
  }
  YamlToProto(tree.root, &parsed.spec, &parsed.positions, &parsed.problems);
  if (!parsed.positions.Has("name")) parsed.spec.set_name(NameFromPath(path));
  FillJobDefaults(&parsed.spec);
  AddFieldProblems(&parsed);
  SortProblems(&parsed.problems);
  return parsed;
}

}  // namespace lockstep::client
