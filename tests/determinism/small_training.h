// Small trainings of every kind of model on generated data, by the engine
// alone: their bits must be equal on every machine, instruction set and number
// of threads. Neither data files nor libraries, so that it also runs on another
// processor's emulator.
#ifndef LOCKSTEP_TESTS_DETERMINISM_SMALL_TRAINING_H_
#define LOCKSTEP_TESTS_DETERMINISM_SMALL_TRAINING_H_

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::testing {

// "mlp", ...
std::vector<std::string> SmallTrainings();

// A 64-bit fingerprint (hex) of all bits of the model's parameters after so many
// steps of Adam, each on one batch that is cut into four shards.
// Requires: a name of SmallTrainings().
std::string SmallTrainingFingerprint(const std::string& name, int steps);

}  // namespace lockstep::testing

#endif  // LOCKSTEP_TESTS_DETERMINISM_SMALL_TRAINING_H_
