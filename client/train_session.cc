#include "client/train_session.h"

#include <google/protobuf/util/message_differencer.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/exit_code.h"
#include "client/pull_model.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

std::string ShellQuoted(const std::string& text) {
  constexpr char kPlain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

v1::JobSpec WithoutSchedulingFields(v1::JobSpec spec) {
  spec.clear_workers();
  spec.clear_checkpoint();
  spec.clear_audit();
  spec.clear_priority();
  spec.clear_retries();
  spec.clear_tensor_digests();
  return spec;
}

}  // namespace

std::string ResumeCommand(const TrainOptions& options) {
  std::string command = absl::StrCat("lockstep train ", ShellQuoted(options.job_file), " --resume");
  const auto add = [&](absl::string_view name, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&command, " ", name, " ", ShellQuoted(value));
  };
  add("--workers", options.workers == 0 ? "" : absl::StrCat(options.workers));
  add("--threads", options.threads == 0 ? "" : absl::StrCat(options.threads));
  add("--output", options.output);
  add("--state-dir", options.state_dir);
  add("--chaos", options.chaos);
  add("--chaos-seed", options.chaos.empty() ? "" : absl::StrCat(options.chaos_seed));
  add("--calm-sha256", options.calm_sha256);
  add("--instruction-set", options.instruction_set == "best" ? "" : options.instruction_set);
  return command;
}

absl::Status CheckSameJob(const v1::JobSpec& stored, const v1::JobSpec& spec) {
  google::protobuf::util::MessageDifferencer differencer;
  std::string differences;
  differencer.ReportDifferencesToString(&differences);
  if (differencer.Compare(WithoutSchedulingFields(stored), WithoutSchedulingFields(spec))) {
    return absl::OkStatus();
  }
  const std::string first = differences.substr(0, differences.find('\n'));
  return absl::InvalidArgumentError(
      absl::StrCat("--resume: the job file is not that of the run (", first, ")"));
}

TrainSession::TrainSession(const Environment& environment, const TrainOptions& options,
                           const v1::JobSpec& spec, RunFolder* folder, InterruptWatcher* interrupt)
    : environment_(environment),
      options_(options),
      spec_(spec),
      folder_(folder),
      interrupt_(interrupt),
      began_(environment.now()) {}

int TrainSession::Fail(const absl::Status& status) {
  if (absl::IsCancelled(status)) return kExitInterrupted;
  const int code = client::Fail(environment_, status);
  // Its own server out of reach is not the user's network.
  return code == kExitUnreachable ? static_cast<int>(kExitFailed) : code;
}

int TrainSession::Run(const EmbeddedClusterOptions& cluster_options) {
  absl::StatusOr<std::unique_ptr<EmbeddedCluster>> cluster =
      EmbeddedCluster::Start(cluster_options, [this] { return interrupt_->interrupted(); });
  if (!cluster.ok()) {
    folder_->ForgetNewState();
    return Fail(cluster.status());
  }
  cluster_ = *std::move(cluster);
  const std::string socket_folder = cluster_->socket_folder();
  interrupt_->SetLastWords([socket_folder] {
    std::error_code ignored;
    std::filesystem::remove_all(socket_folder, ignored);
  });
  const absl::StatusOr<v1::Job> job = BeginJob();
  if (!job.ok()) {
    cluster_->Stop();
    folder_->ForgetNewState();
    return Fail(job.status());
  }
  const FollowResult followed = Follow(job->job_id());
  if (chaos_.has_value()) chaos_->End(cluster_.get());
  int code;
  if (followed.status.ok()) {
    code = WriteResults(followed.job, /*interrupted=*/false);
  } else if (absl::IsCancelled(followed.status)) {
    *environment_.err << "stopping at the present step (Ctrl-C again: at once)" << std::endl;
    absl::StatusOr<v1::Job> cancelled = CancelJob(job->job_id());
    code = cancelled.ok() ? WriteResults(*std::move(cancelled), /*interrupted=*/true)
                          : Fail(cancelled.status());
  } else {
    code = Fail(followed.status);
    *environment_.err << "to go on: " << ResumeCommand(options_) << std::endl;
  }
  cluster_->Stop();
  interrupt_->SetLastWords({});
  return code;
}

absl::StatusOr<v1::Job> TrainSession::BeginJob() {
  absl::StatusOr<std::unique_ptr<JobClient>> client =
      JobClient::Create(cluster_->address(), environment_.timeouts);
  if (!client.ok()) return client.status();
  OnInterruptScope cancel(interrupt_, [&] { (*client)->CancelCalls(); });
  return options_.resume ? ResumeNewestJob(client->get())
                         : (*client)->Submit(spec_, spec_.init_from());
}

absl::StatusOr<v1::Job> TrainSession::ResumeNewestJob(JobClient* client) {
  const absl::StatusOr<v1::ListJobsResponse> jobs = client->ListJobs();
  if (!jobs.ok()) return jobs.status();
  if (jobs->jobs().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--resume: there is no job in ", folder_->state_dir()));
  }
  const v1::Job& newest = jobs->jobs(0);
  absl::Status same = CheckSameJob(newest.spec(), spec_);
  if (!same.ok()) return same;
  // A finished run gives its results once more.
  if (newest.state() == v1::SUCCEEDED) return newest;
  return client->Resume(newest.job_id());
}

FollowResult TrainSession::Follow(const std::string& job_id) {
  FollowResult result;
  absl::StatusOr<std::unique_ptr<MetricsFile>> metrics =
      MetricsFile::Create(folder_->metrics_path());
  result.status = metrics.status();
  if (result.status.ok()) result.status = cluster_->StartWorkers();
  absl::StatusOr<std::unique_ptr<JobClient>> client =
      JobClient::Create(cluster_->address(), environment_.timeouts);
  if (!client.ok()) result.status = client.status();
  if (!result.status.ok()) return result;
  metrics_ = *std::move(metrics);

  std::unique_ptr<ProgressView> view;
  if (options_.format == OutputFormat::kText) {
    view = MakeProgressView(environment_, options_.format, "");
  } else {
    view = QuietProgress(environment_.err);
  }
  absl::StatusOr<std::unique_ptr<JobClient>> operator_client =
      JobClient::Create(cluster_->address(), environment_.timeouts);
  if (!operator_client.ok()) result.status = operator_client.status();
  if (!result.status.ok()) return result;
  FollowHooks hooks;
  hooks.update = [&](const v1::Job& job) {
    const bool was_ok = metrics_->status().ok();
    metrics_->Update(job.progress());
    if (was_ok && !metrics_->status().ok()) view->Note(metrics_->status().message());
  };
  hooks.tick = [&](ProgressView* shown) {
    std::vector<std::string> notes;
    absl::Status status;
    if (chaos_.has_value()) status = ActOnCluster(operator_client->get(), &notes);
    if (status.ok()) status = cluster_->Supervise(&notes);
    for (const std::string& note : notes) shown->Note(note);
    return status;
  };
  JobWatcher watcher(*std::move(client), job_id, environment_.watch);
  return FollowJob(*interrupt_, &watcher, view.get(), hooks);
}

absl::Status TrainSession::ActOnCluster(JobClient* client, std::vector<std::string>* notes) {
  const absl::Time now = environment_.now();
  const absl::Status status = chaos_->Act(now, cluster_.get(), notes);
  if (!status.ok()) return status;
  // Once a second, as people would.
  if (now - looked_at_workers_ < absl::Seconds(1)) return absl::OkStatus();
  looked_at_workers_ = now;
  const absl::StatusOr<v1::ListWorkersResponse> workers = client->ListWorkers();
  // A server that is just starting is asked again the next time.
  if (workers.ok()) chaos_->SeeToQuarantined(*workers, cluster_.get(), notes);
  return absl::OkStatus();
}

absl::StatusOr<v1::Job> TrainSession::CancelJob(const std::string& job_id) {
  absl::StatusOr<std::unique_ptr<JobClient>> client =
      JobClient::Create(cluster_->address(), environment_.timeouts);
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::Job> cancelled = (*client)->Cancel(job_id);
  // It may have come to its own end just now.
  if (!cancelled.ok() && !absl::IsFailedPrecondition(cancelled.status())) return cancelled.status();
  return (*client)->Get(job_id);
}

int TrainSession::WriteResults(v1::Job job, bool interrupted) {
  PulledModel model;
  absl::Status status;
  const bool wanted = job.state() == v1::SUCCEEDED || interrupted;
  if (wanted && !job.model_sha256().empty()) {
    absl::StatusOr<std::unique_ptr<JobClient>> client =
        JobClient::Create(cluster_->address(), environment_.timeouts);
    absl::StatusOr<PulledModel> pulled =
        PullModel(environment_, client->get(), job.job_id(), folder_->model_path());
    status = pulled.status();
    if (pulled.ok()) model = *std::move(pulled);
  }
  model_sha256_ = model.sha256;
  job_ = job;
  const double seconds = absl::ToDoubleSeconds(environment_.now() - began_);
  const std::string summary =
      SummaryLine(job, seconds, model, model.sha256.empty() ? "" : folder_->model_path(),
                  folder_->metrics_path());
  metrics_->Update(job.progress());
  const absl::Status metrics_status = metrics_->Finish(summary);
  if (options_.format == OutputFormat::kJson) {
    *environment_.out << summary;
  } else {
    PrintSummary(job, seconds, model);
  }
  environment_.out->flush();
  if (!status.ok()) Fail(status);
  if (!metrics_status.ok()) Fail(metrics_status);
  if (job.state() != v1::SUCCEEDED) {
    if (!interrupted) {
      Fail(absl::InternalError(
          absl::StrCat(job.job_id(), " ", StateName(job.state()), ": ", job.state_reason())));
    }
    *environment_.err << "to go on: " << ResumeCommand(options_) << std::endl;
    return interrupted ? kExitInterrupted : kExitFailed;
  }
  if (status.ok() && metrics_status.ok()) return kExitOk;
  *environment_.err << "to write the results again: " << ResumeCommand(options_) << std::endl;
  return kExitFailed;
}

void TrainSession::PrintSummary(const v1::Job& job, double seconds,
                                const PulledModel& model) const {
  std::ostream& out = *environment_.out;
  const v1::Progress& progress = job.progress();
  out << "state: " << StateName(job.state()) << '\n';
  out << "step: " << progress.step() << '/' << progress.total_steps() << '\n';
  if (progress.has_training_loss())
    out << "training loss: " << Loss(progress.training_loss()) << '\n';
  if (progress.has_validation_loss()) {
    out << "validation loss: " << Loss(progress.validation_loss()) << '\n';
  }
  if (progress.has_validation_accuracy()) {
    out << "validation accuracy: " << Percent(progress.validation_accuracy()) << '\n';
  }
  out << absl::StrFormat("time: %.1f s (training %.1f s)\n", seconds, progress.training_seconds());
  out << "metrics: " << folder_->metrics_path() << '\n';
  if (model.sha256.empty()) return;
  out << "model: " << folder_->model_path() << '\n';
  if (model.step != progress.total_steps()) out << "model step: " << model.step << '\n';
  out << "model sha256: " << model.sha256 << '\n';
}

}  // namespace lockstep::client
