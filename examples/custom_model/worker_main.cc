#include "examples/custom_model/swiglu.h"
#include "worker/run_worker.h"

int main(int argc, char** argv) {
  return lockstep::worker::RunWorker(argc, argv, custom_model::Layers());
}
