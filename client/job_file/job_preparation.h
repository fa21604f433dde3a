// What a job file's text cannot tell: whether its data files are there and well
// formed, whether the layers fit them, whether init_from fits the model.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_JOB_PREPARATION_H_
#define LOCKSTEP_CLIENT_JOB_FILE_JOB_PREPARATION_H_

#include <string>

#include "client/job_file/job_file_parser.h"
#include "engine/model/layer_registry.h"

namespace lockstep::client {

// Completes the specification for submission: absolute paths (relative ones
// count from the folder of the file `job_file_path`), SHA-256 digests,
// data_summary. What is wrong is added to parsed->problems.
// `layers`: those that the job may name besides job.proto's.
// Requires: parsed without problems.
void PrepareJob(const std::string& job_file_path, const LayerRegistry& layers,
                ParsedJobFile* parsed);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_JOB_PREPARATION_H_
