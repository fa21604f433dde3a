#include "tests/testing/job_file_writer.h"

#include "absl/strings/substitute.h"
#include "tests/testing/process.h"

namespace lockstep::tests {

DigitsJob ShortJob() {
  DigitsJob job;
  job.name = "short";
  job.epochs = 3;
  return job;
}

DigitsJob EndlessJob() {
  DigitsJob job;
  job.name = "endless";
  job.epochs = 1000000;
  return job;
}

std::string DigitsJobText(const DigitsJob& job) {
  constexpr char kHead[] =
      "name: $0\n"
      "seed: $1\n"
      "data:\n"
      "  train:\n"
      "    csv:\n"
      "      path: $2\n"
      "      header: true\n"
      "      label_column: label\n"
      "  validation_fraction: 0.2\n"
      "  scaling:\n"
      "    divide_by: 16\n"
      "model:\n"
      "  - linear: {out_features: $3}\n"
      "  - relu\n"
      "  - linear: {out_features: $4}\n"
      "loss: $5\n"
      "optimizer:\n"
      "  $6\n";
  constexpr char kTail[] =
      "epochs: $0\n"
      "batch_size: $1\n"
      "shards: $2\n"
      "$3";
  return absl::Substitute(kHead, job.name, job.seed, Runfile("examples/digits/digits.csv"),
                          job.hidden, job.outputs, job.loss, job.optimizer) +
         absl::Substitute(kTail, job.epochs, job.batch_size, job.shards, job.more);
}

std::string WriteDigitsJob(const LoggedFolder& folder, const DigitsJob& job) {
  return folder.Write(job.name + ".yaml", DigitsJobText(job));
}

}  // namespace lockstep::tests
