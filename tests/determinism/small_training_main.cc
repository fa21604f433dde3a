// Prints a line for each small training, instruction set and number of
// threads: "mlp neon 2 <fingerprint>". tools/cross_check.sh compares machines by it.
//
// Usage: small_training STEPS
#include <omp.h>

#include <cstdlib>
#include <iostream>

#include "engine/kernels/instruction_set.h"
#include "tests/determinism/small_training.h"

int main(int argc, char** argv) {
  const int steps = argc == 2 ? std::atoi(argv[1]) : 0;
  if (steps < 1) {
    std::cerr << "usage: small_training STEPS, at least 1\n";
    return 2;
  }
  for (const std::string& name : lockstep::testing::SmallTrainings()) {
    for (const std::string& set : lockstep::kernels::AvailableInstructionSets()) {
      if (!lockstep::kernels::LimitInstructionSet(set).ok()) return 1;
      for (int threads : {1, 2}) {
        omp_set_num_threads(threads);
        std::cout << name << " " << set << " " << threads << " "
                  << lockstep::testing::SmallTrainingFingerprint(name, steps) << std::endl;
      }
    }
  }
}
