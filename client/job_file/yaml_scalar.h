// One YAML scalar to one field's value, by the field's type.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_YAML_SCALAR_H_
#define LOCKSTEP_CLIENT_JOB_FILE_YAML_SCALAR_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>

#include "client/job_file/yaml_tree.h"

namespace lockstep::client {

// What a node is, for "got ...": "'abc' (text)", "'5' (number)", "a list",
// "nothing".
std::string Describe(const YamlNode& node);

// Sets the field, or adds to it if it is repeated. Numbers are decimal, with
// a fraction and exponent for floating-point fields only, and not in quotes;
// truth values are `true` and `false`; anything written is text to a text field.
// Returns "", or what is wrong: "got 'abc' (text), want a number"; then the
// message is as it was. Requires: neither message nor enum nor map.
std::string SetScalar(const YamlNode& node, const google::protobuf::FieldDescriptor* field,
                      google::protobuf::Message* message);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_YAML_SCALAR_H_
