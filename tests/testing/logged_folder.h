// A test's folder, whose logs are shown where the test fails.
#ifndef LOCKSTEP_TESTS_TESTING_LOGGED_FOLDER_H_
#define LOCKSTEP_TESTS_TESTING_LOGGED_FOLDER_H_

#include "engine/data/testing/test_files.h"

namespace lockstep::tests {

class LoggedFolder : public data::TestFolder {
 public:
  LoggedFolder() = default;
  // If the present test has failed, prints the end of every file *.log, *.out
  // and *.err below it. Removes the folder.
  ~LoggedFolder();

  // The end of these files, each under its path.
  std::string Logs() const;
};

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_TESTING_LOGGED_FOLDER_H_
