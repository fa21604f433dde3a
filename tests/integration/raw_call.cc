#include "tests/integration/raw_call.h"

#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace lockstep::tests {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// Whether the operation under way succeeded.
bool Next(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  return queue.Next(&tag, &ok) && ok;
}

}  // namespace

RawAnswer CallRaw(const std::string& address, const std::string& method,
                  const std::string& request) {
  grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, method, &queue);
  call->StartCall(nullptr);
  Next(queue);
  const grpc::Slice slice(request);
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  Next(queue);
  RawAnswer answer;
  grpc::ByteBuffer received;
  call->Read(&received, nullptr);
  if (Next(queue)) answer.bytes = BytesOf(received);
  call->WritesDone(nullptr);
  Next(queue);
  call->Finish(&answer.status, nullptr);
  Next(queue);
  return answer;
}

}  // namespace lockstep::tests
