#include "client/load_or_explain.h"

#include <utility>

#include "client/text_table.h"

namespace lockstep::client {

std::optional<v1::JobSpec> LoadOrExplain(const Environment& environment, const std::string& path) {
  LoadedJobFile loaded = environment.load_job_file(path);
  if (loaded.ok()) return std::move(loaded.spec);
  for (const std::string& problem : loaded.problems) *environment.err << Printable(problem) << '\n';
  environment.err->flush();
  return std::nullopt;
}

}  // namespace lockstep::client
