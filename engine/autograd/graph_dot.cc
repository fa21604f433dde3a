#include "engine/autograd/graph_dot.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace lockstep::autograd {
namespace {

// Longer tensors are shown by their shape.
constexpr int64_t kMostShownElements = 4;

std::string NumbersOf(const Tensor& tensor) {
  if (!tensor.defined()) return "";
  if (!tensor.allocated() || tensor.element_count() > kMostShownElements) {
    return absl::StrCat("shape ", tensor.shape().ToString());
  }
  if (tensor.rank() == 0 && tensor.dtype() != DType::kInt64) {
    return absl::StrFormat("%.4f", tensor.item());
  }
  const std::string text = tensor.ToString();  // "tensor([...])"
  return text.substr(7, text.size() - 8);
}

// What means something in a record's label.
std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"},
                                    {"\"", "\\\""},
                                    {"{", "\\{"},
                                    {"}", "\\}"},
                                    {"|", "\\|"},
                                    {"<", "\\<"},
                                    {">", "\\>"}});
}

// The variables of a drawing, numbered as they are met.
class Numbering {
 public:
  // The variable's number; -1: not met.
  int Find(const Variable& variable) const {
    for (size_t i = 0; i < variables_.size(); ++i) {
      if (variables_[i].Is(variable)) return static_cast<int>(i);
    }
    return -1;
  }

  int Number(const Variable& variable) {
    const int found = Find(variable);
    if (found >= 0) return found;
    variables_.push_back(variable);
    return static_cast<int>(variables_.size()) - 1;
  }

  const std::vector<Variable>& variables() const { return variables_; }

 private:
  std::vector<Variable> variables_;
};

}  // namespace

void GraphDrawing::Name(const Variable& variable, std::string name) {
  names_.emplace_back(variable, std::move(name));
}

void GraphDrawing::OnResult(const char* name, const Variable& result,
                            absl::Span<const Variable> inputs) {
  if (result.requires_grad()) Variable(result).RetainGrad();
  operations_.push_back({name, result, {inputs.begin(), inputs.end()}});
}

std::string GraphDrawing::Label(const Variable& variable) const {
  std::string label = "{ ";
  for (const auto& [named, name] : names_) {
    if (named.Is(variable)) absl::StrAppend(&label, Escaped(name), " | ");
  }
  return absl::StrCat(label, "data ", Escaped(NumbersOf(variable.value())), " | grad ",
                      Escaped(NumbersOf(variable.grad())), " }");
}

std::string GraphDrawing::Dot(const Variable& root, DotDirection direction) const {
  Numbering numbering;
  numbering.Number(root);
  std::string operations, edges;
  int drawn = 0;
  // Backwards: whoever uses a result comes after it.
  for (auto it = operations_.rbegin(); it != operations_.rend(); ++it) {
    const int result = numbering.Find(it->result);
    if (result < 0) continue;
    const std::string operation = absl::StrCat("op", drawn++);
    absl::StrAppend(&operations, "  ", operation, " [label=\"", it->name, "\"];\n");
    absl::StrAppend(&edges, "  ", operation, " -> v", result, ";\n");
    for (const Variable& input : it->inputs) {
      if (!input.defined()) continue;
      absl::StrAppend(&edges, "  v", numbering.Number(input), " -> ", operation, ";\n");
    }
  }
  std::string text = absl::StrCat(
      "digraph {\n  rankdir=", direction == DotDirection::kLeftToRight ? "LR" : "TB", ";\n");
  for (size_t i = 0; i < numbering.variables().size(); ++i) {
    absl::StrAppend(&text, "  v", i, " [shape=record, label=\"", Label(numbering.variables()[i]),
                    "\"];\n");
  }
  return absl::StrCat(text, operations, edges, "}\n");
}

}  // namespace lockstep::autograd
