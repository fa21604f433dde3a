// softmax.h on float64: the scalar definition itself.
#include "engine/kernels/reference/softmax.h"
#include "engine/kernels/softmax.h"

namespace lockstep::kernels {

void Softmax(int64_t rows, int64_t columns, double scale, const double* x, double* y) {
  reference::Softmax(rows, columns, scale, x, y);
}

void SoftmaxBackward(int64_t rows, int64_t columns, double scale, const double* y, const double* dy,
                     double* dx) {
  reference::SoftmaxBackward(rows, columns, scale, y, dy, dx);
}

void LogSoftmax(int64_t rows, int64_t columns, const double* x, double* y) {
  reference::LogSoftmax(rows, columns, x, y);
}

void LogSoftmaxBackward(int64_t rows, int64_t columns, const double* y, const double* dy,
                        double* dx) {
  reference::LogSoftmaxBackward(rows, columns, y, dy, dx);
}

void LogSumExp(int64_t rows, int64_t columns, const double* x, double* y) {
  reference::LogSumExp(rows, columns, x, y);
}

void LogSumExpBackward(int64_t rows, int64_t columns, const double* x, const double* y,
                       const double* dy, double* dx) {
  reference::LogSumExpBackward(rows, columns, x, y, dy, dx);
}

}  // namespace lockstep::kernels
