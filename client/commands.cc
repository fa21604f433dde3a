#include "client/commands.h"

namespace lockstep::client {

const std::vector<Command>& Commands() {
  static const std::vector<Command>& commands = *new std::vector<Command>{
      {"train", "JOB.yaml", "train on this machine: starts a server and workers of its own",
       DeclareTrain},
      {"submit", "JOB.yaml", "queue a job on a server", DeclareSubmit},
      {"status", "JOB", "show a job's state", DeclareStatus},
      {"list", "", "list all jobs, newest first", DeclareList},
      {"watch", "JOB", "follow a job until it ends", DeclareWatch},
      {"cancel", "JOB", "stop a job, keeping its last step as a checkpoint", DeclareCancel},
      {"resume", "JOB", "go on with a cancelled or failed job", DeclareResume},
      {"workers", "", "list the server's workers", DeclareWorkers},
      {"pull", "JOB -o FILE", "fetch a job's model and check its hash", DeclarePull},
      {"generate", "JOB.yaml", "write text with a trained language model", DeclareGenerate},
      {"hash", "FILE", "print the hash of the model in a safetensors file", DeclareHash},
      {"version", "", "print the version", DeclareVersion},
  };
  return commands;
}

}  // namespace lockstep::client
