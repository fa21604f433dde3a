#include "engine/autograd/node.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "engine/autograd/grad_mode.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/optimizer_update.h"

namespace lockstep::autograd {
namespace {

uint64_t NextSequenceNumber() {
  // Only its order within one thread matters, so no other memory hangs on it.
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

void CopyElements(const Tensor& from, Tensor to) {
  if (from.element_count() == 0) return;
  VisitFloating("gradient", from.dtype(), [&](auto zero) {
    using T = decltype(zero);
    std::memcpy(to.data<T>(), from.data<T>(), from.element_count() * sizeof(T));
  });
}

void AddElements(const Tensor& from, Tensor to) {
  VisitFloating("gradient", from.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::AddInPlace(to.span<T>(), from.span<T>());
  });
}

}  // namespace

Node::Node(const char* name, Shape shape, DType dtype, Inputs inputs)
    : name_(name),
      shape_(std::move(shape)),
      dtype_(dtype),
      sequence_number_(NextSequenceNumber()),
      inputs_(std::move(inputs)) {}

Node::~Node() {
  // Most nodes have nothing under them that would go with them.
  const auto may_go = [this](const std::shared_ptr<Node>& node) {
    return node != nullptr && !node->inputs_.empty() &&
           node.use_count() <= static_cast<long>(inputs_.size());
  };
  if (std::none_of(inputs_.begin(), inputs_.end(), may_go)) return;
  PooledVector<std::shared_ptr<Node>> orphans(std::make_move_iterator(inputs_.begin()),
                                              std::make_move_iterator(inputs_.end()));
  inputs_.clear();
  while (!orphans.empty()) {
    const std::shared_ptr<Node> node = std::move(orphans.back());
    orphans.pop_back();
    // The last reference: nobody else can make another. Taking its inputs away
    // lets its own destructor end at once.
    if (node != nullptr && node.use_count() == 1) {
      for (std::shared_ptr<Node>& input : node->inputs_) orphans.push_back(std::move(input));
      node->inputs_.clear();
    }
  }
}

std::string Node::ToString() const {
  return absl::StrCat(is_leaf() ? "leaf" : name_, " ", shape_.ToString(), " #", sequence_number_);
}

Node::Extras& Node::extras() {
  if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
  return *extras_;
}

const Tensor& Node::gradient() const {
  static const Tensor* const undefined = new Tensor;
  return extras_ != nullptr ? extras_->gradient : *undefined;
}

void Node::RunBackward(const Tensor&, InputGradients&) {
  LOCKSTEP_CHECK(false, "backward of " + ToString());
}

void Node::RunGraphBackward(const Variable&, GraphGradients&) {
  LOCKSTEP_CHECK(false, absl::StrCat("Grad with create_graph: the gradient of ", name(),
                                     " cannot be differentiated again, it is not made of "
                                     "operations (docs/autograd.md lists those that are)"));
}

void Node::Accumulate(Tensor gradient, bool overwrite) {
  LOCKSTEP_CHECK(
      gradient.shape() == shape_ && gradient.dtype() == dtype_,
      absl::StrCat("gradient: got ", DTypeName(gradient.dtype()), " ", gradient.shape().ToString(),
                   ", want ", DTypeName(dtype_), " ", shape_.ToString()));
  bool own = false;
  if (destination_.defined()) {
    own = gradient.SharesElementsWith(destination_);
    destination_ = Tensor();
  }
  if (!sum_.defined()) {
    const bool into_buffer = overwrite && has_gradient_buffer();
    if (into_buffer && !gradient.SharesElementsWith(extras_->gradient_buffer)) {
      CopyElements(gradient, extras_->gradient_buffer);
    }
    sum_ = into_buffer ? extras_->gradient_buffer : std::move(gradient);
    sum_is_own_ = into_buffer || own;
    return;
  }
  if (!sum_is_own_) sum_ = sum_.Clone();
  sum_is_own_ = true;
  AddElements(gradient, sum_);
}

void Node::RunHooks() {
  if (extras_ == nullptr) return;
  for (const auto& [id, hook] : extras_->hooks) {
    Tensor replacement = hook(sum_);
    if (!replacement.defined()) continue;
    LOCKSTEP_CHECK(replacement.shape() == shape_ && replacement.dtype() == dtype_,
                   absl::StrCat("gradient hook of ", ToString(), ": gave ",
                                DTypeName(replacement.dtype()), " ", replacement.shape().ToString(),
                                ", want ", DTypeName(dtype_), " ", shape_.ToString()));
    sum_ = std::move(replacement);
    sum_is_own_ = false;
  }
}

void Node::FinishLeaf(bool overwrite) {
  RunHooks();
  Extras& kept = extras();
  if (kept.gradient.defined() && !overwrite) {
    AddElements(sum_, kept.gradient);
  } else if (kept.gradient_buffer.defined()) {
    if (!sum_.SharesElementsWith(kept.gradient_buffer)) CopyElements(sum_, kept.gradient_buffer);
    kept.gradient = kept.gradient_buffer;
  } else {
    kept.gradient = sum_is_own_ ? sum_ : sum_.Clone();
  }
  sum_ = Tensor();
  if (kept.gradient_ready_hook) kept.gradient_ready_hook();
}

bool InputGradients::Wanted(int i) const {
  return node_.inputs_[i] != nullptr && node_.inputs_[i]->needed_;
}

Tensor InputGradients::Destination(int i) {
  Node& input = *node_.inputs_[i];
  LOCKSTEP_CHECK(!input.destination_.defined(),
                 absl::StrCat(node_.name(), " asked for a second destination before Add"));
  const bool into_buffer = overwrite_ && input.has_gradient_buffer() && !input.sum_.defined();
  input.destination_ =
      into_buffer ? input.extras_->gradient_buffer : Tensor::Empty(input.shape_, input.dtype_);
  return input.destination_;
}

void InputGradients::Add(int i, Tensor gradient) {
  LOCKSTEP_CHECK(Wanted(i), absl::StrCat(node_.name(), " gave a gradient nobody wants"));
  if (OperationObserver::Any()) {
    OperationObserver::NotifyGradient(node_.name(), i, gradient, upstream_);
  }
  Node& input = *node_.inputs_[i];
  input.Accumulate(std::move(gradient), overwrite_);
  ++added_;
  if (--input.awaited_ == 0 && input.is_leaf() && !capture_) input.FinishLeaf(overwrite_);
}

bool GraphGradients::Wanted(int i) const {
  return node_.inputs_[i] != nullptr && node_.inputs_[i]->needed_;
}

Variable GraphGradients::Input(int i, const Tensor& value) const {
  return Variable(value, node_.inputs_[i]);
}

Variable GraphGradients::Result(const Tensor& value) const {
  return Variable(value, node_.shared_from_this());
}

void GraphGradients::Add(int i, Variable gradient) {
  LOCKSTEP_CHECK(Wanted(i), absl::StrCat(node_.name(), " gave a gradient nobody wants"));
  const Node& input = *node_.inputs_[i];
  LOCKSTEP_CHECK(gradient.shape() == input.shape() && gradient.dtype() == input.dtype(),
                 absl::StrCat("gradient of ", node_.name(), ": got ", DTypeName(gradient.dtype()),
                              " ", gradient.shape().ToString(), ", want ", DTypeName(input.dtype()),
                              " ", input.shape().ToString()));
  (*sums_)[i] = std::move(gradient);
}

std::optional<Node::Inputs> node_internal::WantedInputs(absl::Span<const Variable> inputs) {
  if (!GradEnabled()) return std::nullopt;
  bool wanted = false;
  for (const Variable& input : inputs) wanted = wanted || (input.defined() && input.node());
  if (!wanted) return std::nullopt;
  Node::Inputs nodes;
  nodes.reserve(inputs.size());
  for (const Variable& input : inputs) nodes.push_back(input.defined() ? input.node() : nullptr);
  return nodes;
}

}  // namespace lockstep::autograd
