// lockstep-worker, without layers of a user's own.
#include "worker/run_worker.h"

int main(int argc, char** argv) { return lockstep::worker::RunWorker(argc, argv); }
