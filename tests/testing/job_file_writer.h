// Job files on the digits of examples/digits, as text of the tests' own: the
// examples may change, the tests' golden hashes must not.
#ifndef LOCKSTEP_TESTS_TESTING_JOB_FILE_WRITER_H_
#define LOCKSTEP_TESTS_TESTING_JOB_FILE_WRITER_H_

#include <string>

#include "tests/testing/logged_folder.h"

namespace lockstep::tests {

struct DigitsJob {
  std::string name = "digits";
  int seed = 1;
  int hidden = 128;
  int outputs = 10;
  std::string loss = "cross_entropy";
  std::string optimizer = "adam: {learning_rate: 0.002}";
  int epochs = 30;
  int batch_size = 64;
  int shards = 8;
  // Further lines of the job file, each with its line end.
  std::string more;
};

// Three epochs, 69 steps.
DigitsJob ShortJob();
// Runs until somebody stops it.
DigitsJob EndlessJob();

// The job file's text; its data is the repository's digits.csv.
std::string DigitsJobText(const DigitsJob& job);

// Writes NAME.yaml and gives its path.
std::string WriteDigitsJob(const LoggedFolder& folder, const DigitsJob& job);

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_TESTING_JOB_FILE_WRITER_H_
