#include "client/digest_comparison.h"

#include <algorithm>
#include <map>

namespace lockstep::client {
namespace {

// What differs between two digests of one step, which do.
void Explain(const v1::JobDigests& names, const v1::StepDigest& a, const v1::StepDigest& b,
             DigestComparison* comparison) {
  const int tensors = std::min(a.tensors_size(), b.tensors_size());
  for (int i = 0; i < std::min(tensors, names.tensors_size()); ++i) {
    if (a.tensors(i) != b.tensors(i)) comparison->tensors.push_back(names.tensors(i));
  }
  comparison->shards_known = a.shards_size() > 0 && a.shards_size() == b.shards_size();
  if (!comparison->shards_known) return;
  for (int i = 0; i < a.shards_size(); ++i) {
    if (a.shards(i) != b.shards(i)) comparison->shards.push_back(i);
  }
}

bool SameTensors(const v1::StepDigest& a, const v1::StepDigest& b) {
  return std::equal(a.tensors().begin(), a.tensors().end(), b.tensors().begin(), b.tensors().end());
}

}  // namespace

DigestComparison CompareDigests(const v1::JobDigests& a, const v1::JobDigests& b, uint64_t after,
                                uint64_t last) {
  DigestComparison comparison;
  if (a.steps().empty() || b.steps().empty()) return comparison;
  comparison.other_tensors =
      !std::equal(a.tensors().begin(), a.tensors().end(), b.tensors().begin(), b.tensors().end());
  if (comparison.other_tensors) return comparison;
  std::map<uint64_t, const v1::StepDigest*> others;
  for (const v1::StepDigest& digest : b.steps()) others[digest.step()] = &digest;
  for (const v1::StepDigest& digest : a.steps()) {
    if (digest.step() <= after || digest.step() > last) continue;
    const auto other = others.find(digest.step());
    if (other == others.end()) continue;
    ++comparison.compared;
    if (SameTensors(digest, *other->second)) {
      comparison.last_equal = digest.step();
      continue;
    }
    comparison.first_different = digest.step();
    Explain(a, digest, *other->second, &comparison);
    break;
  }
  return comparison;
}

}  // namespace lockstep::client
