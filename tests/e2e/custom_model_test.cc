// examples/custom_model: a layer of the user's own, in the user's own client,
// server and workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/testing/logged_folder.h"
#include "tests/testing/process.h"
#include "tests/testing/run_lockstep.h"
#include "tests/testing/wait.h"

namespace lockstep::tests {
namespace {

using ::testing::HasSubstr;

std::string JobFile() { return Runfile("examples/custom_model/job.yaml"); }

// Trains with the example's own programs and returns the model's hash.
std::string CustomHash(const LoggedFolder& folder, const std::string& name,
                       const std::string& workers, const std::string& threads) {
  ProcessOptions options;
  options.command = {Runfile("examples/custom_model/lockstep"),
                     "train",
                     JobFile(),
                     "--output",
                     folder.PathOf(name),
                     "--workers",
                     workers,
                     "--threads",
                     threads};
  Process process(folder, name + ".train", options);
  EXPECT_TRUE(process.WaitForEnd(kPatience));
  EXPECT_EQ(process.exit_code(), 0) << process.err();
  return LineAfter("model sha256: ", process.out());
}

TEST(CustomModelTest, OneHashOnAnyWorkersAndThreads) {
  LoggedFolder folder;
  const std::string hash = CustomHash(folder, "one", "1", "1");
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(CustomHash(folder, "two", "2", "1"), hash);
  EXPECT_EQ(CustomHash(folder, "threads", "1", "2"), hash);
}

TEST(CustomModelTest, AProgramWithoutTheLayerSaysSo) {
  LoggedFolder folder;
  const CommandResult result = RunLockstep(folder, {"train", JobFile()});
  EXPECT_EQ(result.exit_code, 2) << result;
  EXPECT_THAT(result.err, HasSubstr("model[1].residual.layers[0].custom.name: got a layer that "
                                    "this program was not built with, known: none"));
}

}  // namespace
}  // namespace lockstep::tests
