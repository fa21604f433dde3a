#include "proto/shared_memory/shared_blocks.h"

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace lockstep {

// Regions that no tensor uses.
class SharedBlocks::Pool {
 public:
  std::shared_ptr<SharedRegion> Take() {
    absl::MutexLock lock(&mutex_);
    if (free_.empty()) return nullptr;
    std::shared_ptr<SharedRegion> region = std::move(free_.back());
    free_.pop_back();
    return region;
  }
  void Give(std::shared_ptr<SharedRegion> region) {
    absl::MutexLock lock(&mutex_);
    free_.push_back(std::move(region));
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::shared_ptr<SharedRegion>> free_ ABSL_GUARDED_BY(mutex_);
};

// A region in use; comes back when the storage that owns it goes.
class SharedBlocks::Block : public StorageOwner {
 public:
  Block(std::shared_ptr<SharedRegion> region, std::weak_ptr<Pool> pool)
      : region_(std::move(region)), pool_(std::move(pool)) {}
  ~Block() override {
    if (const std::shared_ptr<Pool> pool = pool_.lock()) pool->Give(std::move(region_));
  }
  const std::shared_ptr<SharedRegion>& region() const { return region_; }

 private:
  std::shared_ptr<SharedRegion> region_;
  const std::weak_ptr<Pool> pool_;
};

SharedBlocks::SharedBlocks(int64_t elements)
    : elements_(elements), pool_(std::make_shared<Pool>()) {}

Tensor SharedBlocks::Take() {
  const uint64_t size_bytes = static_cast<uint64_t>(elements_) * sizeof(float);
  std::shared_ptr<SharedRegion> region = pool_->Take();
  if (region == nullptr) {
    auto created = SharedRegion::Create(size_bytes);
    if (!created.ok()) return Tensor::Empty(Shape{elements_});
    region = *std::move(created);
  }
  void* const data = region->data();
  auto block = std::make_shared<const Block>(std::move(region), pool_);
  return Tensor::View(Storage::Use(std::move(block), data, size_bytes, /*foreign=*/false), 0,
                      Shape{elements_});
}

std::optional<SharedPlace> SharedPlaceOf(const Tensor& tensor) {
  const auto* const block = dynamic_cast<const SharedBlocks::Block*>(tensor.storage()->owner());
  if (block == nullptr) return std::nullopt;
  const char* const data = reinterpret_cast<const char*>(tensor.data<float>());
  return SharedPlace{block->region(), static_cast<uint64_t>(data - block->region()->data())};
}

absl::StatusOr<Tensor> PeerRegions::View(const SharedRegionPlace& place, const std::string& token,
                                         uint64_t offset_bytes, uint64_t size_bytes) {
  constexpr size_t kMostRegions = 4096;
  if (regions_.size() >= kMostRegions && regions_.count(token) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("shared memory: got more than ", kMostRegions, " regions"));
  }
  std::shared_ptr<SharedRegion>& region = regions_[token];
  if (region == nullptr) {
    auto opened = SharedRegion::Open(place);
    if (!opened.ok()) return opened.status();
    if ((*opened)->token() != token) {
      return absl::InvalidArgumentError("shared memory: got another region than was announced");
    }
    region = *std::move(opened);
  }
  if (offset_bytes > region->size_bytes() || size_bytes > region->size_bytes() - offset_bytes ||
      offset_bytes % sizeof(float) != 0 || size_bytes % sizeof(float) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("shared memory: got ", size_bytes, " bytes from ", offset_bytes,
                     " on, want whole elements of the region's ", region->size_bytes(), " bytes"));
  }
  return Tensor::View(Storage::Use(region, region->data(), region->size_bytes(), /*foreign=*/true),
                      offset_bytes, Shape{static_cast<int64_t>(size_bytes / sizeof(float))});
}

}  // namespace lockstep
