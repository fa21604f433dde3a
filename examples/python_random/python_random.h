// Python's random.random(), for demos that begin where their Python originals do.
// Lockstep's own random numbers are Philox's (engine/philox.h).
#ifndef LOCKSTEP_EXAMPLES_PYTHON_RANDOM_PYTHON_RANDOM_H_
#define LOCKSTEP_EXAMPLES_PYTHON_RANDOM_PYTHON_RANDOM_H_

#include <cstdint>
#include <random>

namespace lockstep::examples {

// As Python's generator after random.seed(seed).
// Source: Matsumoto and Nishimura, "Mersenne Twister" (1998), and the authors'
// init_by_array of 2002, by which Python seeds it.
class PythonRandom {
 public:
  explicit PythonRandom(uint32_t seed);

  // random.random(): 53 bits in [0, 1).
  double Random();
  // random.uniform(least, most).
  double Uniform(double least, double most) { return least + (most - least) * Random(); }

 private:
  std::mt19937 words_;
};

}  // namespace lockstep::examples

#endif  // LOCKSTEP_EXAMPLES_PYTHON_RANDOM_PYTHON_RANDOM_H_
