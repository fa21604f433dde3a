// Where two runs part, by what was recorded of them. Decisions only.
#ifndef LOCKSTEP_CLIENT_DIGEST_COMPARISON_H_
#define LOCKSTEP_CLIENT_DIGEST_COMPARISON_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/v1/job_service.pb.h"

namespace lockstep::client {

struct DigestComparison {
  // Steps that both have a digest of, within the stretch that was asked for, up
  // to the first that differs.
  uint64_t compared = 0;
  // The last of them that is equal.
  std::optional<uint64_t> last_equal;
  // The first that differs, and what of it: parameters after that many steps,
  // shards of the gradient in the step before.
  std::optional<uint64_t> first_different;
  std::vector<std::string> tensors;
  std::vector<int> shards;
  // Whether both have digests of shards at that step.
  bool shards_known = false;
  // The runs' parameters are not the same ones by name; nothing was compared.
  bool other_tensors = false;
};

// Of steps in (after, last].
DigestComparison CompareDigests(const v1::JobDigests& a, const v1::JobDigests& b, uint64_t after,
                                uint64_t last);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_DIGEST_COMPARISON_H_
