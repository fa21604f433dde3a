#include "engine/kernels/matmul_plan.h"

#include <algorithm>
#include <utility>

namespace lockstep::kernels {
namespace {

// The run of k for which a panel of B is packed.
constexpr int64_t kBlockDepth = 512;
// Floats of A's rows between two packings of B: a second cache.
constexpr int64_t kBlockFloats = 256 * 1024;
// More of them where k is long: at least so many rows, as far as so many floats allow.
constexpr int64_t kLeastBlockRows = 256;
constexpr int64_t kMostBlockFloats = 1024 * 1024;

// What copying an element costs in multiply-adds of a vector.
constexpr double kTransposeCost = 0.3;
constexpr double kCopyCost = 0.15;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Multiply-adds of vectors per step of k, of one thread of the grid.
double ThreadCost(const MatmulTileShape& tile, const MatmulProblem& p, const MatmulPlan& plan) {
  const auto rows = static_cast<double>(DivideUp(p.m, plan.row_teams));
  const auto vectors = static_cast<double>(DivideUp(DivideUp(p.n, tile.vector), plan.column_teams));
  const double columns = vectors * static_cast<double>(tile.vector);
  double cost = rows * vectors;
  cost += columns * (p.b_depth_contiguous ? kTransposeCost : kCopyCost);
  if (plan.pack_rows) cost += rows * kCopyCost;
  if (plan.transposed) {
    cost += rows * columns * kTransposeCost / static_cast<double>(std::max<int64_t>(1, p.k));
  }
  return cost;
}

// Keeps in `best` the cheaper of it and the best grid for `plan`.
void TryGrids(const MatmulTileShape& tile, const MatmulProblem& problem, int threads,
              MatmulPlan plan, double& least, MatmulPlan& best) {
  for (int row_teams = threads; row_teams >= 1; --row_teams) {
    plan.row_teams = row_teams;
    plan.column_teams = threads / row_teams;
    const double cost = ThreadCost(tile, problem, plan);
    if (least < 0 || cost < least) {
      least = cost;
      best = plan;
    }
  }
}

}  // namespace

MatmulPlan PlanMatmul(const MatmulTileShape& tile, const MatmulProblem& problem, int threads) {
  MatmulPlan plan, best;
  double least = -1;
  plan.pack_rows = !problem.a_depth_contiguous;
  TryGrids(tile, problem, threads, plan, least, best);
  if (problem.b_depth_contiguous && problem.a_depth_contiguous) {
    MatmulProblem turned = problem;
    std::swap(turned.m, turned.n);
    plan.transposed = true;
    TryGrids(tile, turned, threads, plan, least, best);
  }
  if (problem.shards == 1) {
    best.depth_blocks = std::max<int64_t>(1, DivideUp(problem.k, kBlockDepth));
  }
  const int64_t depth = std::max<int64_t>(1, DivideUp(problem.k, best.depth_blocks));
  const int64_t rows =
      std::max(kBlockFloats / depth, std::min(kLeastBlockRows, kMostBlockFloats / depth));
  best.block_rows = std::max<int64_t>(1, rows / tile.rows) * tile.rows;
  return best;
}

}  // namespace lockstep::kernels
