// lockstep, without layers of a user's own.
#include "client/client_program.h"

int main(int argc, char** argv) { return lockstep::client::RunClientProgram(argc, argv); }
