#include "client/environment.h"

#include "client/exit_code.h"
#include "client/text_table.h"

namespace lockstep::client {

int Fail(const Environment& environment, const absl::Status& status) {
  *environment.err << "lockstep: " << Printable(status.message()) << '\n' << std::flush;
  return ExitCodeOf(status);
}

}  // namespace lockstep::client
