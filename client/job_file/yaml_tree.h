// YAML text to a plain tree with positions. Job files need no more of YAML than
// maps, lists and scalars: anchors, aliases, tags, merge keys and several
// documents in one file are refused, so a small file cannot stand for a big one.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_YAML_TREE_H_
#define LOCKSTEP_CLIENT_JOB_FILE_YAML_TREE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/job_file/job_file_problem.h"

namespace lockstep::client {

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  // Where it begins; for a map in block style: its first key.
  SourcePosition position;
  // kScalar: the text, and whether it stood in quotes or in a block.
  std::string text;
  bool quoted = false;
  // kList: the items.
  std::vector<YamlNode> items;
  // kMap: the entries in the file's order, no key twice.
  std::vector<YamlEntry> entries;
};

struct YamlEntry {
  std::string key;
  SourcePosition key_position;
  YamlNode value;
};

struct YamlTree {
  YamlNode root;
  // Paths are those of the tree: "model[2].linear". If there are any, the root
  // holds what could be read, which may be nothing.
  std::vector<JobFileProblem> problems;
};

// Deeper nesting than this is refused: job files need 5, and 3 more for each
// layer that is within a layer (8 deep at most).
constexpr int kMaxYamlDepth = 32;

// Any bytes will do as text; see CheckJobFileText in job_file_text.h for those
// that are not worth parsing.
YamlTree ParseYaml(absl::string_view text);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_YAML_TREE_H_
