// How the two operands of a binary operation over [rows, columns] are laid out.
#ifndef LOCKSTEP_ENGINE_KERNELS_ELEMENTWISE_OPERANDS_H_
#define LOCKSTEP_ENGINE_KERNELS_ELEMENTWISE_OPERANDS_H_

namespace lockstep::kernels {

enum class BinaryOperands {
  kElements,     // both have every element (one row)
  kScalarRight,  // b is one number (one row)
  kScalarLeft,   // a is one number (one row)
  kRow,          // b has one number per column
  kColumn,       // b has one number per row
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_ELEMENTWISE_OPERANDS_H_
