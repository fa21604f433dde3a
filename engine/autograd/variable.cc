#include "engine/autograd/variable.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/check.h"

namespace lockstep::autograd {

Variable::Variable(Tensor value, bool requires_grad)
    : Variable(std::move(value), std::shared_ptr<Node>()) {
  if (!requires_grad) return;
  LOCKSTEP_CHECK(state_->value.dtype() != DType::kInt64, "int64 has no gradients");
  state_->node = std::allocate_shared<Node>(PoolAllocator<Node>(), state_->value.shape(),
                                            state_->value.dtype());
}

Variable::Variable(Tensor value, std::shared_ptr<Node> node)
    : state_(std::allocate_shared<State>(PoolAllocator<State>(),
                                         State{std::move(value), std::move(node)})) {
  LOCKSTEP_CHECK(state_->value.defined(), "a variable of an undefined tensor");
}

bool Variable::is_leaf() const { return node() == nullptr || node()->is_leaf(); }

absl::string_view Variable::grad_fn() const { return is_leaf() ? "" : node()->name(); }

const Tensor& Variable::grad() const {
  static const Tensor* const undefined = new Tensor;
  return requires_grad() ? node()->gradient() : *undefined;
}

void Variable::RetainGrad() {
  LOCKSTEP_CHECK(requires_grad(), "RetainGrad of a variable that requires no gradient");
  node()->extras().retain_gradient = true;
}

void Variable::ZeroGrad() {
  if (requires_grad() && node()->extras_ != nullptr) node()->extras_->gradient = Tensor();
}

Variable Variable::Detach() const { return Variable(value()); }

void Variable::SetValue(Tensor value) {
  LOCKSTEP_CHECK(is_leaf(), "SetValue of an operation's result");
  LOCKSTEP_CHECK(
      value.shape() == shape() && value.dtype() == dtype(),
      absl::StrCat("SetValue: got ", DTypeName(value.dtype()), " ", value.shape().ToString(),
                   ", want ", DTypeName(dtype()), " ", shape().ToString()));
  state_->value = std::move(value);
}

void Variable::ConvertTo(DType dtype) {
  LOCKSTEP_CHECK(is_leaf(), "ConvertTo of an operation's result");
  if (dtype == this->dtype()) return;
  const Tensor converted =
      value().allocated() ? value().To(dtype) : Tensor::Unallocated(shape(), dtype);
  *state_ = *Variable(converted, requires_grad()).state_;
}

void Variable::SetGradientBuffer(Tensor buffer) {
  LOCKSTEP_CHECK(requires_grad() && is_leaf(), "a gradient buffer is for leaves with gradients");
  if (buffer.defined()) {
    LOCKSTEP_CHECK(buffer.shape() == shape() && buffer.dtype() == dtype(),
                   absl::StrCat("gradient buffer: got ", DTypeName(buffer.dtype()), " ",
                                buffer.shape().ToString(), ", want ", DTypeName(dtype()), " ",
                                shape().ToString()));
  }
  node()->extras().gradient = Tensor();
  node()->extras().gradient_buffer = std::move(buffer);
}

void Variable::SetGradientReadyHook(std::function<void()> hook) {
  LOCKSTEP_CHECK(requires_grad() && is_leaf(), "a gradient hook is for leaves with gradients");
  node()->extras().gradient_ready_hook = std::move(hook);
}

int Variable::RegisterHook(GradientHook hook) {
  LOCKSTEP_CHECK(requires_grad(), "RegisterHook of a variable that requires no gradient");
  Node::Extras& extras = node()->extras();
  extras.hooks.emplace_back(extras.next_hook, std::move(hook));
  return extras.next_hook++;
}

void Variable::RemoveHook(int hook) {
  LOCKSTEP_CHECK(requires_grad(), "RemoveHook of a variable that requires no gradient");
  auto& hooks = node()->extras().hooks;
  hooks.erase(std::remove_if(hooks.begin(), hooks.end(),
                             [hook](const auto& entry) { return entry.first == hook; }),
              hooks.end());
}

std::string Variable::ToString() const {
  if (!defined()) return "tensor(undefined)";
  std::string text = value().ToString();
  if (!requires_grad()) return text;
  text.pop_back();  // the closing bracket
  return is_leaf() ? absl::StrCat(text, ", requires_grad)")
                   : absl::StrCat(text, ", grad_fn=", grad_fn(), ")");
}

std::ostream& operator<<(std::ostream& out, const Variable& variable) {
  return out << variable.ToString();
}

}  // namespace lockstep::autograd
