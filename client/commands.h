// The table of commands.
#ifndef LOCKSTEP_CLIENT_COMMANDS_H_
#define LOCKSTEP_CLIENT_COMMANDS_H_

#include <vector>

#include "client/command.h"

namespace lockstep::client {

// In the order of `lockstep --help`. Each stands in <name>_command.cc; cancel and pause in
// stop_command.cc.
const std::vector<Command>& Commands();

CommandFunction DeclareTrain(CLI::App* app);
CommandFunction DeclareSubmit(CLI::App* app);
CommandFunction DeclareStatus(CLI::App* app);
CommandFunction DeclareList(CLI::App* app);
CommandFunction DeclareWatch(CLI::App* app);
CommandFunction DeclareCancel(CLI::App* app);
CommandFunction DeclarePause(CLI::App* app);
CommandFunction DeclareResume(CLI::App* app);
CommandFunction DeclareWorkers(CLI::App* app);
CommandFunction DeclareCheckpoints(CLI::App* app);
CommandFunction DeclareReceipts(CLI::App* app);
CommandFunction DeclareVerify(CLI::App* app);
CommandFunction DeclareReplay(CLI::App* app);
CommandFunction DeclareDiff(CLI::App* app);
CommandFunction DeclarePull(CLI::App* app);
CommandFunction DeclareGenerate(CLI::App* app);
CommandFunction DeclareHash(CLI::App* app);
CommandFunction DeclareVersion(CLI::App* app);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_COMMANDS_H_
