// The golden files of tests/golden/mlp (README.md there).
#ifndef LOCKSTEP_TESTS_GOLDEN_GOLDEN_MLP_H_
#define LOCKSTEP_TESTS_GOLDEN_GOLDEN_MLP_H_

#include <string>
#include <vector>

#include "lockstep/v1/job.pb.h"

namespace lockstep::tests {

// How far a loss may be from PyTorch's, relatively.
inline constexpr double kGoldenTolerance = 1e-4;

struct GoldenJob {
  std::string job_file;
  // As the client would submit it.
  v1::JobSpec spec;
  // Mean loss of each step's batch before the step.
  std::vector<double> losses;
};

// "adam", "sgd_momentum", ...: whatever there is, in order.
std::vector<std::string> GoldenVariants();

// Aborts where the files are not as they should be.
GoldenJob LoadGoldenJob(const std::string& variant);

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_GOLDEN_GOLDEN_MLP_H_
