// elementwise.h on float64: the scalar definition itself.
#include "engine/kernels/reference/elementwise.h"

namespace lockstep::kernels {

void Unary(UnaryOp op, int64_t size, const double* x, double* out) {
  reference::Unary(op, size, x, out);
}

void Binary(BinaryOp op, int64_t size, const double* a, const double* b, double* out) {
  reference::Binary(op, size, a, b, out);
}

void BinaryScalarRight(BinaryOp op, int64_t size, const double* a, double s, double* out) {
  reference::BinaryScalarRight(op, size, a, s, out);
}

void BinaryScalarLeft(BinaryOp op, int64_t size, double s, const double* b, double* out) {
  reference::BinaryScalarLeft(op, size, s, b, out);
}

void BinaryRow(BinaryOp op, int64_t rows, int64_t columns, const double* a, const double* row,
               double* out) {
  reference::BinaryRow(op, rows, columns, a, row, out);
}

void BinaryColumn(BinaryOp op, int64_t rows, int64_t columns, const double* a, const double* column,
                  double* out) {
  reference::BinaryColumn(op, rows, columns, a, column, out);
}

void Select(int64_t size, const double* condition, const double* a, bool a_repeats, const double* b,
            bool b_repeats, double* out) {
  reference::Select(size, condition, a, a_repeats, b, b_repeats, out);
}

void ActivationBackward(ActivationGradient op, int64_t size, const double* dy, const double* y,
                        double* out) {
  reference::ActivationBackward(op, size, dy, y, out);
}

void Power(int64_t size, const double* x, double exponent, double* out) {
  reference::Power(size, x, exponent, out);
}

}  // namespace lockstep::kernels
