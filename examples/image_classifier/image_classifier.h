// A deep binary classifier of pictures, 12288-20-7-5-1, from Lockstep's autograd
// alone, in float64: relu, sigmoid at the end, binary cross entropy, plain
// gradient descent at rate 0.0075. Its pictures are made by a recipe: noise on
// stripes, whose place tells the two classes apart.
#ifndef LOCKSTEP_EXAMPLES_IMAGE_CLASSIFIER_IMAGE_CLASSIFIER_H_
#define LOCKSTEP_EXAMPLES_IMAGE_CLASSIFIER_IMAGE_CLASSIFIER_H_

#include <vector>

#include "engine/autograd/variable.h"
#include "engine/tensor.h"

namespace lockstep::examples {

class ImageClassifier {
 public:
  ImageClassifier();

  // The mean loss of all pictures, then one step.
  double Step();
  // How many of the pictures are told right, 0 to 1.
  double Accuracy() const;

 private:
  autograd::Variable Probabilities() const;

  autograd::Variable images_;  // [pictures, pixels]
  Tensor labels_;              // [pictures, 1]
  // Weight and bias of each layer.
  std::vector<autograd::Variable> parameters_;
};

}  // namespace lockstep::examples

#endif  // LOCKSTEP_EXAMPLES_IMAGE_CLASSIFIER_IMAGE_CLASSIFIER_H_
