#include "client/client_program.h"
#include "examples/custom_model/swiglu.h"

int main(int argc, char** argv) {
  return lockstep::client::RunClientProgram(argc, argv, custom_model::Layers());
}
