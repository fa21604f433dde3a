// What the programs write as JSON, read by protobuf's own parser.
#ifndef LOCKSTEP_TESTS_TESTING_JSON_H_
#define LOCKSTEP_TESTS_TESTING_JSON_H_

#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>

#include <string>
#include <vector>

namespace lockstep::tests {

// The message that `text` holds; the test fails where it does not hold one, or
// holds fields that the message has not.
void ParseJson(const std::string& text, google::protobuf::Message* message);

// One object per line; the test fails where a line is not one.
std::vector<google::protobuf::Struct> ParseJsonLines(const std::string& text);

// A field of an object; the test fails where it is not there.
double NumberOf(const google::protobuf::Struct& object, const std::string& field);
std::string TextOf(const google::protobuf::Struct& object, const std::string& field);

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_TESTING_JSON_H_
