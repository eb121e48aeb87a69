// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/redteam/runs.hpp"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "gateway/collector/redteam/report.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::collector::redteam {
namespace {

constexpr std::size_t kMaxRunBytes = 1U << 20;
constexpr std::size_t kMaxErrorBytes = 4096;
constexpr const char* kRun = ".json";
constexpr const char* kReport = ".report.json";
constexpr std::string_view kLines = ".jsonl";
constexpr const char* kDescription = ".json";  // behind the name of a corpus

// Exit status of `aispm redteam run` when its gate failed or something was not judged.
constexpr int kGateFailed = 1;

Result<> check_name(std::string_view name) {
  const bool is_name =
      !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
      });
  if (is_name) return {};
  return fail(Errc::kInvalid, "name: allowed are 1 to 64 of a-z 0-9 _ -");
}

// Ids are ours: UUIDs, so also names of files.
Result<> check_id(std::string_view id) {
  const bool is_id = id.size() == 36 && std::all_of(id.begin(), id.end(), [](char c) {
                       return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == '-';
                     });
  if (is_id) return {};
  return fail(Errc::kNotFound, "no such run");
}

// What a program complained of, in one line: the end of it says most.
std::string words_of(const std::string& file) {
  auto text = read_file(file, 1U << 20);
  if (!text) return {};
  std::string words = to_utf8(*text);
  if (words.size() > kMaxErrorBytes) words.erase(0, words.size() - kMaxErrorBytes);
  while (!words.empty() && words.back() == '\n') words.pop_back();
  std::replace(words.begin(), words.end(), '\n', ' ');
  return to_utf8(words);
}

}  // namespace

Runs::Runs(RedTeamConfig config, std::string folder, UniqueFd stop)
    : config_(std::move(config)),
      program_{config_.program},
      folder_(std::move(folder)),
      stop_(std::move(stop)) {}

Result<std::unique_ptr<Runs>> Runs::open(RedTeamConfig config, const std::string& state_folder) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return fail_errno("eventfd");
  std::unique_ptr<Runs> runs(
      new Runs(std::move(config), state_folder + "/redteam", std::move(stop)));
  if (runs->config_.gateway.empty()) return runs;
  AISPM_CHECK(make_directories(runs->folder_ + "/runs", 0700));
  AISPM_CHECK(make_directories(runs->folder_ + "/corpora", 0700));
  for (const std::string& id : runs->ids()) {
    auto run = runs->load(id);
    if (!run || run->state() != "running") continue;
    run->set_state("failed");
    run->set_error("the collector was ended");
    AISPM_CHECK(runs->save(*run));
  }
  return runs;
}

Runs::~Runs() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

std::string Runs::run_file(const std::string& id, const char* ending) const {
  return folder_ + "/runs/" + id + ending;
}

std::string Runs::corpus_file(const std::string& name) const {
  return folder_ + "/corpora/" + name + std::string(kLines);
}

Result<> Runs::save(const pb::RedTeamRun& run) const {
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(run, &json).ok())
    return fail(Errc::kInternal, "a run cannot be written as JSON");
  return write_file_atomically(run_file(run.run_id(), kRun), json, 0600);
}

Result<pb::RedTeamRun> Runs::load(const std::string& id) const {
  auto json = read_file(run_file(id, kRun), kMaxRunBytes);
  if (!json) return fail(Errc::kNotFound, "no such run");
  pb::RedTeamRun run;
  if (!google::protobuf::util::JsonStringToMessage(*json, &run).ok() || run.run_id() != id)
    return fail(Errc::kInternal, "the record of run " + id + " is damaged");
  return run;
}

// Version 7 UUIDs begin with the time.
std::vector<std::string> Runs::ids() const {
  std::vector<std::string> ids;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder_ + "/runs", error)) {
    const std::string name = file.path().filename();
    const std::string id = name.substr(0, std::min<std::size_t>(36, name.size()));
    if (name == id + kRun && check_id(id)) ids.push_back(id);
  }
  std::sort(ids.rbegin(), ids.rend());
  return ids;
}

Result<std::vector<std::string>> Runs::arguments(const pb::StartRedTeamRequest& request,
                                                 const std::string& id) const {
  std::vector<std::string> words{"run",        "--gateway",      config_.gateway,
                                 "--key-file", config_.key_file, "--via",
                                 "screen",     "--report",       run_file(id, ".report")};
  if (!config_.ca_file.empty()) words.insert(words.end(), {"--ca-file", config_.ca_file});
  if (static_cast<std::size_t>(request.corpora_size()) > kMaxCorpora)
    return fail(Errc::kInvalid, "corpora: more than 32");
  for (const std::string& name : request.corpora()) {
    AISPM_CHECK(check_name(name));
    if (::access(corpus_file(name).c_str(), R_OK) != 0)
      return fail(Errc::kNotFound, "corpora: there is no `" + name + "`");
    words.insert(words.end(), {"--corpus", corpus_file(name)});
  }
  if (request.max_drop_points() < 0 || request.max_drop_points() > 100)
    return fail(Errc::kInvalid, "max_drop_points: allowed is 0 to 100");
  if (request.baseline_run_id().empty()) return words;
  AISPM_CHECK(check_id(request.baseline_run_id()));
  const std::string baseline = run_file(request.baseline_run_id(), kReport);
  if (::access(baseline.c_str(), R_OK) != 0)
    return fail(Errc::kNotFound, "baseline_run_id: that run has no report");
  words.insert(words.end(),
               {"--baseline", baseline, "--max-drop", std::to_string(request.max_drop_points())});
  return words;
}

Result<pb::RedTeamRun> Runs::start(const pb::StartRedTeamRequest& request, const std::string& who,
                                   WallTime now) {
  if (config_.gateway.empty())
    return fail(Errc::kUnsupported, "collector.yaml names no gateway (`redteam:`)");
  const std::lock_guard lock(mutex_);
  if (!running_.empty()) return fail(Errc::kExhausted, "run " + running_ + " is going on");
  if (thread_.joinable()) thread_.join();  // of the last run, which has ended
  pb::RedTeamRun run;
  run.set_run_id(make_uuid());
  run.set_state("running");
  run.set_started_by(who);
  *run.mutable_started() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(now.nanoseconds);
  *run.mutable_corpora() = request.corpora();
  run.set_gateway(config_.gateway);
  AISPM_TRY(const auto words, arguments(request, run.run_id()));
  const std::vector<std::string> known = ids();
  for (std::size_t i = kMaxRuns - 1; i < known.size(); ++i)
    for (const char* ending : {kRun, kReport, ".report.html", ".out", ".err"})
      ::unlink(run_file(known[i], ending).c_str());
  AISPM_TRY(const pid_t pid,
            program_.start(words, run_file(run.run_id(), ".out"), run_file(run.run_id(), ".err")));
  running_ = run.run_id();
  thread_ = std::thread([this, run, pid] { finish(run, pid); });
  AISPM_CHECK(save(run));
  log::info("redteam.started", {{"run", run.run_id()}, {"by", who}});
  return run;
}

void Runs::finish(pb::RedTeamRun run, pid_t pid) {
  const auto status = wait(pid, kLimit, stop_.get());
  const std::lock_guard lock(mutex_);
  auto report = read_file(run_file(run.run_id(), kReport), kMaxReportBytes);
  const bool has_report = report && read_report(*report, run);
  run.set_state(!status || !has_report   ? "failed"
                : *status == 0           ? "done"
                : *status == kGateFailed ? "gate_failed"
                                         : "failed");
  if (run.state() != "done") run.set_error(words_of(run_file(run.run_id(), ".err")));
  if (!status) run.set_error(status.error().message);
  if (const auto saved = save(run); !saved) log::error("redteam.not_kept", saved.error());
  log::info("redteam.ended", {{"run", run.run_id()}, {"state", run.state()}});
  running_.clear();
}

Result<pb::RedTeamRunList> Runs::list() const {
  const std::lock_guard lock(mutex_);
  pb::RedTeamRunList list;
  for (const std::string& id : ids()) {
    AISPM_TRY(*list.add_runs(), load(id));
  }
  return list;
}

Result<pb::RedTeamRun> Runs::get(const std::string& id) const {
  AISPM_CHECK(check_id(id));
  const std::lock_guard lock(mutex_);
  AISPM_TRY(pb::RedTeamRun run, load(id));
  if (run.state() == "running") return run;
  if (auto report = read_file(run_file(id, kReport), kMaxReportBytes))
    run.set_report_json(std::move(*report));
  return run;
}

// Asks the program itself what it makes of the texts, so that there is one definition of what is
// right.
Result<pb::RedTeamCorpus> Runs::describe(const std::string& name, const std::string& file) const {
  const std::string said = folder_ + "/check.out";
  const std::string complained = folder_ + "/check.err";
  AISPM_TRY(const pid_t pid,
            program_.start({"corpus", "--json", "--corpus", file}, said, complained));
  AISPM_TRY(const int status, wait(pid, kCheckLimit, stop_.get()));
  if (status != 0) {
    std::string words = words_of(complained);
    // Only the line matters to who sent it, not where it lies here.
    if (const auto place = words.find(file); place != std::string::npos)
      words.replace(0, place + file.size(), name);
    return fail(Errc::kInvalid, words.empty() ? "the texts cannot be read" : words);
  }
  AISPM_TRY(const std::string json, read_file(said, kMaxRunBytes));
  pb::RedTeamCorpus corpus;
  AISPM_CHECK(read_corpus(json, corpus));
  corpus.set_name(name);
  std::error_code error;
  corpus.set_bytes(std::filesystem::file_size(file, error));
  return corpus;
}

Result<pb::RedTeamCorpus> Runs::put(const pb::PutRedTeamCorpusRequest& request) {
  if (config_.gateway.empty())
    return fail(Errc::kUnsupported, "collector.yaml names no gateway (`redteam:`)");
  AISPM_CHECK(check_name(request.name()));
  if (request.content().size() > kMaxCorpusBytes)
    return fail(Errc::kTooLarge, "content: larger than 16 MiB");
  const std::lock_guard lock(mutex_);
  std::error_code error;
  const bool is_new = !std::filesystem::exists(corpus_file(request.name()), error);
  if (is_new && names().size() >= kMaxCorpora)
    return fail(Errc::kExhausted, "there are 32 corpora already; delete one");
  const std::string candidate = folder_ + "/candidate" + std::string(kLines);
  AISPM_CHECK(write_file_atomically(candidate, request.content(), 0600));
  auto described = describe(request.name(), candidate);
  if (!described) {
    ::unlink(candidate.c_str());
    return described;
  }
  if (std::rename(candidate.c_str(), corpus_file(request.name()).c_str()) != 0)
    return fail_errno("keep " + request.name());
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(*described, &json).ok())
    return fail(Errc::kInternal, "a description cannot be written as JSON");
  AISPM_CHECK(write_file_atomically(corpus_file(request.name()) + kDescription, json, 0600));
  log::info("redteam.corpus", {{"name", request.name()}, {"rows", described->rows()}});
  return described;
}

std::vector<std::string> Runs::names() const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder_ + "/corpora", error))
    if (check_name(file.path().stem().string()) && file.path().extension() == kLines)
      names.push_back(file.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

Result<pb::RedTeamCorpusList> Runs::corpora() const {
  const std::lock_guard lock(mutex_);
  pb::RedTeamCorpusList list;
  for (const std::string& name : names()) {
    pb::RedTeamCorpus& corpus = *list.add_corpora();
    const auto json = read_file(corpus_file(name) + kDescription, kMaxRunBytes);
    if (!json || !google::protobuf::util::JsonStringToMessage(*json, &corpus).ok())
      corpus.Clear();  // its figures are lost, the texts are not
    corpus.set_name(name);
  }
  return list;
}

Result<pb::RedTeamCorpus> Runs::remove(const std::string& name) {
  AISPM_CHECK(check_name(name));
  const std::lock_guard lock(mutex_);
  if (::unlink(corpus_file(name).c_str()) != 0)
    return fail(Errc::kNotFound, "there is no corpus `" + name + "`");
  ::unlink((corpus_file(name) + kDescription).c_str());
  pb::RedTeamCorpus corpus;
  corpus.set_name(name);
  return corpus;
}

}  // namespace aispm::collector::redteam
