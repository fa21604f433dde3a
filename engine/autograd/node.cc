#include "engine/autograd/node.h"

#include <atomic>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "engine/autograd/grad_mode.h"
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

Node::Node(Shape shape, DType dtype)
    : name_(nullptr),
      shape_(std::move(shape)),
      dtype_(dtype),
      sequence_number_(NextSequenceNumber()) {}

Node::Node(const char* name, Shape shape, DType dtype, std::vector<std::shared_ptr<Node>> inputs,
           BackwardFunction backward)
    : name_(name),
      shape_(std::move(shape)),
      dtype_(dtype),
      sequence_number_(NextSequenceNumber()),
      inputs_(std::move(inputs)),
      backward_(std::move(backward)) {}

Node::~Node() {
  std::vector<std::shared_ptr<Node>> orphans = std::move(inputs_);
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

void Node::Accumulate(Tensor gradient, bool overwrite) {
  LOCKSTEP_CHECK(
      gradient.shape() == shape_ && gradient.dtype() == dtype_,
      absl::StrCat("gradient: got ", DTypeName(gradient.dtype()), " ", gradient.shape().ToString(),
                   ", want ", DTypeName(dtype_), " ", shape_.ToString()));
  const bool own = destination_.defined() && gradient.SharesElementsWith(destination_);
  destination_ = Tensor();
  if (!sum_.defined()) {
    const bool into_buffer = overwrite && gradient_buffer_.defined();
    if (into_buffer && !gradient.SharesElementsWith(gradient_buffer_)) {
      CopyElements(gradient, gradient_buffer_);
    }
    sum_ = into_buffer ? gradient_buffer_ : std::move(gradient);
    sum_is_own_ = into_buffer || own;
    return;
  }
  if (!sum_is_own_) sum_ = sum_.Clone();
  sum_is_own_ = true;
  AddElements(gradient, sum_);
}

void Node::FinishLeaf(bool overwrite) {
  if (gradient_.defined() && !overwrite) {
    AddElements(sum_, gradient_);
  } else if (gradient_buffer_.defined()) {
    if (!sum_.SharesElementsWith(gradient_buffer_)) CopyElements(sum_, gradient_buffer_);
    gradient_ = gradient_buffer_;
  } else {
    gradient_ = sum_is_own_ ? sum_ : sum_.Clone();
  }
  sum_ = Tensor();
  if (gradient_ready_hook_) gradient_ready_hook_();
}

bool InputGradients::Wanted(int i) const { return node_.inputs_[i] != nullptr; }

Tensor InputGradients::Destination(int i) {
  Node& input = *node_.inputs_[i];
  LOCKSTEP_CHECK(!input.destination_.defined(),
                 absl::StrCat(node_.name(), " asked for a second destination before Add"));
  const bool into_buffer = overwrite_ && input.gradient_buffer_.defined() && !input.sum_.defined();
  input.destination_ =
      into_buffer ? input.gradient_buffer_ : Tensor::Empty(input.shape_, input.dtype_);
  return input.destination_;
}

void InputGradients::Add(int i, Tensor gradient) {
  LOCKSTEP_CHECK(Wanted(i), absl::StrCat(node_.name(), " gave a gradient nobody wants"));
  Node& input = *node_.inputs_[i];
  input.Accumulate(std::move(gradient), overwrite_);
  ++added_;
  if (--input.awaited_ == 0 && input.is_leaf()) input.FinishLeaf(overwrite_);
}

Variable MakeResult(const char* name, Tensor value, std::initializer_list<Variable> inputs,
                    BackwardFunction backward) {
  std::vector<std::shared_ptr<Node>> nodes;
  bool wanted = false;
  if (GradEnabled()) {
    nodes.reserve(inputs.size());
    for (const Variable& input : inputs) {
      nodes.push_back(input.defined() ? input.node() : nullptr);
      wanted = wanted || nodes.back() != nullptr;
    }
  }
  if (!wanted) return Variable(std::move(value));
  auto node = std::make_shared<Node>(name, value.shape(), value.dtype(), std::move(nodes),
                                     std::move(backward));
  return Variable(std::move(value), std::move(node));
}

}  // namespace lockstep::autograd
