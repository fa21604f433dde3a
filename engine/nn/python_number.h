// A number as Python prints it, for layers that describe themselves as
// torch.nn's do.
#ifndef LOCKSTEP_ENGINE_NN_PYTHON_NUMBER_H_
#define LOCKSTEP_ENGINE_NN_PYTHON_NUMBER_H_

#include <string>

namespace lockstep::nn {

// The shortest decimal text that reads back as the same float64: "1.0", "0.01",
// "1e-05", "1e+16".
std::string PythonNumber(double value);

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_PYTHON_NUMBER_H_
