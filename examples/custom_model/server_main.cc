#include "examples/custom_model/swiglu.h"
#include "server/run_server.h"

int main(int argc, char** argv) {
  return lockstep::server::RunServer(argc, argv, custom_model::Layers());
}
