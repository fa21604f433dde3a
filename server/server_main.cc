// lockstep-server, without layers of a user's own.
#include "server/run_server.h"

int main(int argc, char** argv) { return lockstep::server::RunServer(argc, argv); }
