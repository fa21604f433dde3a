#include "client/commands.h"

namespace lockstep::client {

const std::vector<Command>& Commands() {
  static const std::vector<Command>& commands = *new std::vector<Command>{
      {"train", "JOB.yaml", "train on this machine: starts a server and workers of its own",
       DeclareTrain},
      {"submit", "JOB.yaml", "queue a job on a server, or go on from another job", DeclareSubmit},
      {"status", "JOB", "show a job's state", DeclareStatus},
      {"list", "", "list all jobs, newest first", DeclareList},
      {"watch", "JOB", "follow a job until it ends", DeclareWatch},
      {"cancel", "JOB", "stop a job, keeping its last step as a checkpoint", DeclareCancel},
      {"pause", "JOB", "stop a job for a while, freeing its workers", DeclarePause},
      {"resume", "JOB", "go on with a paused, cancelled or failed job", DeclareResume},
      {"workers", "", "list the server's workers; `workers release NAME` ends a quarantine",
       DeclareWorkers},
      {"checkpoints", "JOB", "list the checkpoints of a job that are on the server's disk",
       DeclareCheckpoints},
      {"pull", "JOB -o FILE", "fetch a job's model and check its hash", DeclarePull},
      {"receipts", "JOB", "show the hash chain of a job's checkpoints", DeclareReceipts},
      {"verify", "JOB", "compute a job again on this machine and compare", DeclareVerify},
      {"replay", "JOB", "repeat an asynchronous job in its logged order and compare",
       DeclareReplay},
      {"diff", "JOB JOB", "find where two jobs part, and which field explains it", DeclareDiff},
      {"generate", "JOB.yaml", "write text with a trained language model", DeclareGenerate},
      {"hash", "FILE", "print the hash of the model in a safetensors file", DeclareHash},
      {"version", "", "print the version", DeclareVersion},
  };
  return commands;
}

}  // namespace lockstep::client
