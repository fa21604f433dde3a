#include "client/job_file/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::client {
namespace {

// yaml-cpp counts from 0 and marks "nowhere" with -1.
SourcePosition PositionOf(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

// A list or map whose end has not been seen.
struct OpenNode {
  YamlNode node;
  std::string path;
  // kMap: the key whose value comes next.
  bool has_key = false;
  std::string key;
  SourcePosition key_position;
  // kMap: the line of each key so far.
  std::map<std::string, int> key_lines;
};

// What is YAML but must not stand in a job file. An exception, caught by
// ParseYaml, because yaml-cpp has no other way to stop parsing.
class RefusedYaml : public YAML::ParserException {
 public:
  using YAML::ParserException::ParserException;
};

// Builds the tree from the parser's events.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(YamlTree* tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) Refuse(mark, "got a second document, want one");
  }
  void OnDocumentEnd() override {}

  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    Refuse(mark, "anchors (&name) are not supported in job files");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Refuse(mark, "aliases (*name) are not supported in job files");
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Begin(mark, "", anchor);
    if (WantsKey()) Refuse(mark, "got an empty key, want a name");
    YamlNode node;
    node.position = PositionOf(mark);
    Add(std::move(node));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Begin(mark, tag, anchor);
    if (WantsKey()) return AddKey(mark, value);
    YamlNode node;
    node.kind = YamlNode::Kind::kScalar;
    node.position = PositionOf(mark);
    node.text = value;
    node.quoted = tag == "!";  // YAML 1.2, 6.9.1: the tag of quoted and block scalars
    Add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kList, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kMap, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  [[noreturn]] static void Refuse(const YAML::Mark& mark, const std::string& message) {
    throw RefusedYaml(mark, message);
  }

  void Begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) OnAnchor(mark, "");
    if (!tag.empty() && tag != "?" && tag != "!") {
      Refuse(mark, "tags (!name) are not supported in job files");
    }
  }

  bool WantsKey() const {
    return !open_.empty() && open_.back().node.kind == YamlNode::Kind::kMap &&
           !open_.back().has_key;
  }

  void AddKey(const YAML::Mark& mark, const std::string& key) {
    OpenNode& map = open_.back();
    map.has_key = true;
    map.key = key;
    map.key_position = PositionOf(mark);
  }

  // Path of the node that comes next.
  std::string NextPath() const {
    if (open_.empty()) return "";
    const OpenNode& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kList) {
      return absl::StrCat(parent.path, "[", parent.node.items.size(), "]");
    }
    return absl::StrCat(parent.path, parent.path.empty() ? "" : ".", KeyForPath(parent.key));
  }

  void Open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    Begin(mark, tag, anchor);
    if (WantsKey()) Refuse(mark, "got a list or map as a key, want a name");
    if (open_.size() == kMaxYamlDepth) {
      Refuse(mark, absl::StrCat("got deeper nesting, want at most ", kMaxYamlDepth, " levels"));
    }
    OpenNode opened;
    opened.path = NextPath();
    opened.node.kind = kind;
    opened.node.position = PositionOf(mark);
    open_.push_back(std::move(opened));
  }

  void Close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    Add(std::move(node));
  }

  // Puts a complete node into the list or map around it.
  void Add(YamlNode node) {
    if (open_.empty()) {
      tree_->root = std::move(node);
      return;
    }
    OpenNode& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kList) {
      parent.node.items.push_back(std::move(node));
      return;
    }
    parent.has_key = false;
    const auto [first, is_new] = parent.key_lines.emplace(parent.key, parent.key_position.line);
    if (is_new) {
      parent.node.entries.push_back({parent.key, parent.key_position, std::move(node)});
    } else {
      tree_->problems.push_back({parent.key_position, NextPath(),
                                 absl::StrCat("written twice, first in line ", first->second)});
    }
  }

  YamlTree* const tree_;
  int documents_ = 0;
  std::vector<OpenNode> open_;
};

}  // namespace

YamlTree ParseYaml(absl::string_view text) {
  YamlTree tree;
  TreeBuilder builder(&tree);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const RefusedYaml& error) {
    tree.problems.push_back({PositionOf(error.mark), "", error.msg});
  } catch (const YAML::Exception& error) {
    tree.problems.push_back({PositionOf(error.mark), "", "not valid YAML: " + error.msg});
  } catch (const std::exception& error) {
    tree.problems.push_back({{}, "", absl::StrCat("cannot be read as YAML: ", error.what())});
  }
  return tree;
}

}  // namespace lockstep::client
