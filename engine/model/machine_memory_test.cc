#include "engine/model/machine_memory.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lockstep {
namespace {

class MachineMemoryTest : public testing::Test {
 protected:
  MachineMemoryTest() { EXPECT_NE(mkdtemp(&root_[0]), nullptr); }
  ~MachineMemoryTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  std::string root_ = testing::TempDir() + "/machine-memory-XXXXXX";
};

TEST_F(MachineMemoryTest, ReadsThisMachine) {
  const MachineMemory memory = ReadMachineMemory();
  EXPECT_GT(memory.available_bytes, uint64_t{1} << 20);
  EXPECT_LE(memory.available_bytes, memory.total_bytes);
}

TEST_F(MachineMemoryTest, AContainersLimitCounts) {
  Write("/proc/meminfo", "MemTotal:  4096 kB\nMemFree:  1 kB\nMemAvailable:   2048 kB\n");
  EXPECT_EQ(ReadMachineMemory(root_).total_bytes, 4096u << 10);
  EXPECT_EQ(ReadMachineMemory(root_).available_bytes, 2048u << 10);
  Write("/sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(ReadMachineMemory(root_).total_bytes, 4096u << 10);
  Write("/sys/fs/cgroup/memory.max", "1048576\n");
  Write("/sys/fs/cgroup/memory.current", "48576\n");
  EXPECT_EQ(ReadMachineMemory(root_).total_bytes, 1048576u);
  EXPECT_EQ(ReadMachineMemory(root_).available_bytes, 1000000u);
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n");
  Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "2000\n");
  EXPECT_EQ(ReadMachineMemory(root_).available_bytes, 0u);
}

TEST_F(MachineMemoryTest, WhatCannotBeReadDoesNotLimit) {
  EXPECT_TRUE(
      CheckFitsMemory("model", uint64_t{1} << 60, ReadMachineMemory(root_).available_bytes).ok());
}

TEST_F(MachineMemoryTest, NamesBothNumbers) {
  const absl::Status status = CheckFitsMemory("model", 3u << 20, 2u << 20);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(status.message(), "model needs 3 MiB of memory, this machine has 2 MiB");
}

}  // namespace
}  // namespace lockstep
