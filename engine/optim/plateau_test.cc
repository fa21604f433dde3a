#include "engine/optim/plateau.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lockstep::optim {
namespace {

std::vector<double> FactorsAfter(Plateau plateau, const std::vector<double>& losses) {
  std::vector<double> factors;
  for (size_t i = 0; i < losses.size(); ++i) {
    plateau.Observe(i + 1, losses[i]);
    factors.push_back(plateau.factor());
  }
  return factors;
}

TEST(PlateauTest, DropsAfterMoreThanItsPatience) {
  PlateauOptions options;
  options.factor = 0.5;
  options.patience = 1;
  options.threshold = 0.1;
  // 0.95 is no progress beside 1; the second such epoch is one too many.
  EXPECT_EQ(FactorsAfter(Plateau(options), {1, 0.95, 0.95, 0.8, 0.8, 0.8}),
            (std::vector<double>{1, 1, 0.5, 0.5, 0.5, 0.25}));
}

TEST(PlateauTest, RestsInItsCooldownAndStopsAtTheLeastFactor) {
  PlateauOptions options;
  options.factor = 0.5;
  options.patience = 0;
  options.cooldown = 2;
  options.least_factor = 0.4;
  EXPECT_EQ(FactorsAfter(Plateau(options), {1, 1, 1, 1, 1, 1}),
            (std::vector<double>{1, 0.5, 0.5, 0.5, 0.4, 0.4}));
}

TEST(PlateauTest, ALossThatIsNoNumberIsNoProgress) {
  PlateauOptions options;
  options.patience = 0;
  options.factor = 0.5;
  EXPECT_EQ(FactorsAfter(Plateau(options), {1, std::nan(""), 0.5}),
            (std::vector<double>{1, 0.5, 0.5}));
}

TEST(PlateauTest, GoesOnExactlyWhereItWasSaved) {
  PlateauOptions options;
  options.patience = 2;
  options.factor = 1.0 / 3;
  Plateau one(options);
  for (uint64_t step = 1; step <= 40; ++step) {
    std::map<std::string, std::string> saved;
    one.Save(&saved);
    Plateau other(options);
    other.Load(saved);
    const double loss = 1 + 1.0 / 3 * static_cast<double>(step % 7);
    one.Observe(step, loss);
    other.Observe(step, loss);
    other.Observe(step, loss);  // once only
    EXPECT_EQ(one.factor(), other.factor()) << step;
    one = other;
  }
  EXPECT_LT(one.factor(), 1e-3);
}

}  // namespace
}  // namespace lockstep::optim
