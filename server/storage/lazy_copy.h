// A copy of a job's state as it is at one moment, made piece by piece while training
// goes on changing it: each piece is copied by whoever comes first, the step that is
// about to change it or a thread in the background. So no step waits for the whole,
// and none for the disk.
//
// The copy lies in files without a name, whose pages are the system's: it may write
// them out where memory is short, and they are gone with the last reference, or with
// the process. Pieces that a file does not take (a full disk) lie in memory. A disk that
// cannot give back what it has taken ends the process by SIGBUS.
#ifndef LOCKSTEP_SERVER_STORAGE_LAZY_COPY_H_
#define LOCKSTEP_SERVER_STORAGE_LAZY_COPY_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/tensor.h"

namespace lockstep::server {

class LazyCopy {
 public:
  // Copies nothing yet. `fixed` vectors do not change any more and are let go of once
  // they are copied; the elements of `changing` ones must not change before CopyPiece of
  // their piece. Flat, float32, of any lengths; a piece has `piece_elements` of each
  // changing vector, the last one fewer. Requires: whole pages of 4 KiB.
  // Errors: Unavailable, with the reason: `folder` cannot hold such files, or has less
  // room than three copies need.
  static absl::StatusOr<std::shared_ptr<LazyCopy>> Begin(const std::string& folder,
                                                         std::vector<Tensor> fixed,
                                                         std::vector<Tensor> changing,
                                                         int64_t piece_elements);

  // The copies, in the order of Begin; to be read after Finish alone. They do not need
  // the LazyCopy to live on.
  const std::vector<Tensor>& fixed() const { return fixed_copies_; }
  const std::vector<Tensor>& changing() const { return changing_copies_; }

  // Returns when the piece has been copied, by this call or another; at once where no
  // vector has it. Threads: any.
  void CopyPiece(int piece);
  // The same for the fixed vectors, which then have been let go of.
  void CopyFixed();
  // The same for all.
  void Finish();

 private:
  class File;
  struct Source {
    Tensor vector;
    std::shared_ptr<const File> file;
  };

  explicit LazyCopy(int64_t piece_elements) : piece_elements_(piece_elements) {}
  void Add(Tensor vector, std::shared_ptr<const File> file, bool changes);
  // Elements [begin, end).
  static void Copy(const Source& source, int64_t begin, int64_t end);

  const int64_t piece_elements_;
  std::vector<Source> fixed_;
  std::vector<Source> changing_;
  std::vector<Tensor> fixed_copies_;
  std::vector<Tensor> changing_copies_;
  std::once_flag fixed_done_;
  std::vector<std::once_flag> pieces_done_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_LAZY_COPY_H_
