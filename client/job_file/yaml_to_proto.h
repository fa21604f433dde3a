// A YAML tree to a protobuf message, by the message's descriptor alone; the
// rules stand at the top of proto/lockstep/v1/job.proto. Types, the ranges of
// the integer types and names are checked here; what a value may be beyond its
// type is not (engine/model/job_spec.h).
#ifndef LOCKSTEP_CLIENT_JOB_FILE_YAML_TO_PROTO_H_
#define LOCKSTEP_CLIENT_JOB_FILE_YAML_TO_PROTO_H_

#include <google/protobuf/message.h>

#include <vector>

#include "client/job_file/job_file_problem.h"
#include "client/job_file/source_positions.h"
#include "client/job_file/yaml_tree.h"

namespace lockstep::client {

// Fields with this number or a greater one are set by the client itself; in
// YAML they do not exist.
constexpr int kFirstFieldNumberOfTheClient = 100;

// Fills `message` from `root`. Every problem is reported, and what has none is
// filled in nevertheless. Positions: a scalar's own, a map's or list's key,
// and those of list items; "" is the root's.
void YamlToProto(const YamlNode& root, google::protobuf::Message* message,
                 SourcePositions* positions, std::vector<JobFileProblem>* problems);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_YAML_TO_PROTO_H_
