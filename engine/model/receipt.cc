#include "engine/model/receipt.h"

#include "absl/strings/str_cat.h"
#include "engine/data/sha256.h"

namespace lockstep {

std::string NoReceipt() { return std::string(64, '0'); }

std::string HashOfReceipt(const v1::Receipt& receipt) {
  return data::Sha256Hex(absl::StrCat("lockstep receipt 1\njob ", receipt.job_sha256(), "\ndata ",
                                      receipt.data_sha256(), "\nstep ", receipt.step(), "\nmodel ",
                                      receipt.model_sha256(), "\nstate ", receipt.state_sha256(),
                                      "\nprevious ", receipt.previous(), "\n"));
}

absl::Status CheckReceiptChain(const std::vector<v1::Receipt>& receipts) {
  const v1::Receipt* before = nullptr;
  for (const v1::Receipt& receipt : receipts) {
    const std::string place = absl::StrCat("receipt of step ", receipt.step(), ": ");
    if (HashOfReceipt(receipt) != receipt.receipt()) {
      return absl::DataLossError(absl::StrCat(place, "its fields give ", HashOfReceipt(receipt),
                                              ", want ", receipt.receipt()));
    }
    if (before != nullptr) {
      if (receipt.previous() != before->receipt()) {
        return absl::DataLossError(absl::StrCat(place, "got previous ", receipt.previous(),
                                                ", want that of step ", before->step(), ", ",
                                                before->receipt()));
      }
      if (receipt.step() <= before->step()) {
        return absl::DataLossError(absl::StrCat(place, "comes after step ", before->step()));
      }
      if (receipt.job_sha256() != before->job_sha256() ||
          receipt.data_sha256() != before->data_sha256()) {
        return absl::DataLossError(absl::StrCat(place, "is of another job file or other data"));
      }
    }
    before = &receipt;
  }
  return absl::OkStatus();
}

}  // namespace lockstep
