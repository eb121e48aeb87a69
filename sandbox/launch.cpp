// SPDX-License-Identifier: Apache-2.0
#include "sandbox/launch.hpp"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <iostream>
#include <optional>
#include <sstream>

#include "sandbox/apply/digest.hpp"
#include "sandbox/apply/init_facts.hpp"
#include "sandbox/apply/placeholders.hpp"
#include "sandbox/apply/repositories.hpp"
#include "sandbox/apply/workspace_quota.hpp"
#include "sandbox/begin.hpp"
#include "sandbox/greeting.hpp"
#include "sandbox/mechanisms.hpp"
#include "sandbox/plan/narrow.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/requirements/lineage.hpp"
#include "sandbox/supervise/proxy_header.hpp"
#include "sandbox/supervise/supervisor.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::sandbox {
namespace {

void say(const std::string& text) { std::cerr << "aispm-run: " << text << "\n"; }

// Said at the start, so that nobody has to find it out from refusals.
Result<> tell_what_is_not_permitted(const Plan& plan, const Greeting& greeting) {
  std::string missing;
  for (const auto& rule : plan.allow_hosts) {
    if (is_covered(greeting.permitted, rule)) continue;
    missing += (missing.empty() ? "'" : ", '") + to_text(rule) + "'";
    if (!plan.needs_all_hosts)
      say("note: " + to_text(rule) +
          " will be refused: the gateway's operator does not permit it (egress.allow_hosts)");
  }
  if (missing.empty() || !plan.needs_all_hosts) return {};
  return fail(Errc::kUnavailable, "the gateway's operator does not permit " + missing +
                                      ". Add to gateway.yaml: egress: {allow_hosts: [" + missing +
                                      "]}");
}

// The variables of the clients that can be answered.
void add_gateway_environment(Plan& plan, const Greeting& greeting) {
  std::erase(plan.environment, "AISPM_AGENT_ID=" + plan.agent);
  plan.environment.push_back("AISPM_AGENT_ID=" + greeting.agent_id);
  for (const auto& variable : plan.gateway_environment)
    if (std::find(greeting.dialects.begin(), greeting.dialects.end(), variable.dialect) !=
        greeting.dialects.end())
      plan.environment.push_back(variable.pair);
}

// Blocks the signals that the sandbox is to get instead of us.
class ForwardedSignals {
 public:
  static Result<ForwardedSignals> open() {
    ForwardedSignals signals;
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number :
         {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP})
      ::sigaddset(&set, number);
    if (::sigprocmask(SIG_BLOCK, &set, &signals.before_) != 0) return fail_errno("sigprocmask");
    signals.fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals.fd_) return fail_errno("signalfd");
    return signals;
  }
  const sigset_t& before() const { return before_; }
  UniqueFd take() { return std::move(fd_); }

 private:
  sigset_t before_{};
  UniqueFd fd_;
};

// Who sees refused files. Landlock's refusals reach only the kernel's audit stream, which only root
// may read.
std::string watch_files(const Plan& plan, Result<std::unique_ptr<Audit>> audit, int landlock_abi,
                        Watched& watched) {
  const auto unseen = [](const std::string& why) { return "file_denials:unseen (" + why + ")"; };
  if (!plan.runtime.executable.empty()) return unseen("gVisor answers them");
  if (!audit) return unseen(audit.error().message);
  if (landlock_abi < Audit::kMinLandlockAbi)
    return unseen("Landlock before ABI " + std::to_string(Audit::kMinLandlockAbi));
  if (auto confirmed = (*audit)->confirm(); !confirmed) return unseen(confirmed.error().message);
  watched.audit = std::move(*audit);
  return "file_denials:audit";
}

// Where the kernel announces nothing, what is left at the end tells.
void watch_quota(const WorkspaceQuota& quota, Watched& watched) {
  if (auto watch = QuotaWatch::open(quota.project())) watched.quota = std::move(*watch);
  watched.is_workspace_full = [&quota] { return quota.is_full(); };
}

// Pipes for what is not a terminal. Gives the ends that stay outside.
Result<Output::Sources> make_streams(const Terminal& terminal, AgentStreams& streams) {
  terminal.describe(streams);
  Output::Sources outside;
  const std::array<std::pair<UniqueFd*, UniqueFd*>, 2> wanted = {
      {{&streams.output, &outside.output}, {&streams.errors, &outside.errors}}};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (streams.is_terminal[i + 1]) continue;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
    wanted[i].second->reset(ends[0]);
    wanted[i].first->reset(ends[1]);
    if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return fail_errno("fcntl");
  }
  return outside;
}

int exit_code_of(const Outcome& outcome) {
  if (outcome.ended_by_limit) return outcome.limits[0] == "wall_time" ? kExitWallTime : kExitLimit;
  if (outcome.signal != 0) return static_cast<int>(128 + outcome.signal);
  if (outcome.exit_code == 0 && !outcome.output.failures.empty()) return kExitLimit;
  return static_cast<int>(outcome.exit_code);
}

void finish_delivery(Delivery& delivery) {
  std::string reason;
  if (const auto lost = delivery.finish(kLastEventsPatience, reason); lost != 0)
    say("warning: " + std::to_string(lost) +
        " events of this run could not be delivered: " + reason);
  if (const auto text = delivery.not_understood(); !text.empty()) say("note: " + text);
}

// A run whose start was told is told to its end: what fails in between ends it as
// "the sandbox could not be built", or it would seem to run for ever.
class ToldEnd {
 public:
  ToldEnd(Delivery& delivery, const RunIdentity& run) : delivery_(delivery), run_(run) {}
  ToldEnd(const ToldEnd&) = delete;
  ToldEnd& operator=(const ToldEnd&) = delete;
  ~ToldEnd() {
    if (is_told_) return;
    ExitReport report;
    report.exit_code = kExitSandbox;
    tell(report);
    finish_delivery(delivery_);
  }
  void tell(const ExitReport& report) {
    is_told_ = true;
    if (delivery_.has_taker()) delivery_.offer(exit_event(run_, report));
  }

 private:
  Delivery& delivery_;
  const RunIdentity& run_;
  bool is_told_ = false;
};

// SBX-023. Nothing was started: no start event, the refusal alone.
int refuse_admission(const NotAdmitted& found, const RunIdentity& run, Delivery& delivery,
                     const std::string& profile) {
  const std::string reason = "not admitted: sha256:" + found.digest;
  say(found.path + ": " + reason + " is not under `admit` of profile " + profile +
      ". Nothing was started");
  if (!delivery.has_taker()) return kExitNotExecutable;
  const auto now = Denials::Clock::now();
  Denial denial;
  denial.kind = DenialKind::kFile;
  denial.target = found.path;
  denial.error = EACCES;
  denial.reason = reason;
  delivery.offer(denial_event(run, FoldedDenial{std::move(denial), 1, now, now}, now, wall_now()));
  std::string why;
  if (delivery.finish(kLastEventsPatience, why) != 0)
    say("warning: the refusal could not be reported: " + why);
  return kExitNotExecutable;
}

// The plan within what the agent's policy permits. kDenied: it does not permit the run.
Result<> obey_policy(const Host& host, const Greeting& greeting, LaunchOptions& options,
                     Plan& plan) {
  std::vector<const policy::SandboxRule*> rules;
  const auto add = [&](const auto& file, const std::string& agent) {
    if (!file) return;
    for (const policy::SandboxRule* rule : file->of(agent)) rules.push_back(rule);
  };
  add(greeting.rules, greeting.agent_id);
  for (const Greeting::Parent& parent : greeting.parents) add(parent.rules, parent.agent_id);
  if (rules.empty()) return {};
  AISPM_TRY(const auto notes, narrow(host, rules, plan, options.request));
  if (notes.empty()) return {};
  if (options.needs_all_hosts && options.request.profile.allow_hosts != plan.allow_hosts)
    return fail(Errc::kDenied, notes.front());
  AISPM_TRY(Plan narrowed, make_plan(host, options.request));
  narrowed.needs_all_hosts = plan.needs_all_hosts;
  plan = std::move(narrowed);
  for (const auto& note : notes) say("note: " + note);
  return {};
}

// A gateway that does not know of parents would let the run have all its own rights.
Result<> take_parents(const Greeting& greeting, RunIdentity& run) {
  if (greeting.parents.empty())
    return fail(Errc::kUnavailable,
                "this gateway knows of no runs that run for others (--parent): update it. Nothing "
                "was started");
  for (const Greeting::Parent& parent : greeting.parents) run.parents.push_back(parent.run);
  return {};
}

// Nothing was started.
int refuse_by_policy(const std::string& policy, const std::string& why,
                     const LaunchOptions& options) {
  const std::string text =
      "policy " + policy + " does not permit this run: " + why + ". Nothing was started";
  say(text);
  if (const auto untold = report_refusal(options.request, options.events_path, "policy", text);
      !untold.empty())
    say("warning: the refusal could not be reported: " + untold);
  return kExitNotExecutable;
}

Result<int> perform(const Host& host, Plan plan, LaunchOptions options) {
  RunIdentity run{plan.agent, plan.session_id, make_trace_id(), 0};
  std::optional<GatewayLink> link;
  Greeting greeting;
  if (!plan.gateway_socket.empty()) {
    const auto say_who = [&](const HeaderExtras& extras) {
      link.emplace(plan.gateway_socket, make_proxy_header(Speaker::kLauncher, run.session_id,
                                                          plan.agent, run.trace_id, extras));
    };
    say_who({.egress_host = {}, .parents = {}, .parent_session = options.parent_session});
    AISPM_TRY(greeting, greet_gateway(*link, plan.gateway_socket));
    run.agent_id = greeting.agent_id;
    if (!options.parent_session.empty()) {
      AISPM_CHECK(take_parents(greeting, run));
      say_who({.egress_host = {}, .parents = run.parents, .parent_session = {}});
    }
    if (auto obeyed = obey_policy(host, greeting, options, plan); !obeyed) {
      if (obeyed.error().code != Errc::kDenied) return fail(obeyed.error());
      return refuse_by_policy(greeting.policy, obeyed.error().message, options);
    }
    add_gateway_environment(plan, greeting);
    AISPM_CHECK(tell_what_is_not_permitted(plan, greeting));
  }
  AISPM_TRY(const auto delivery, Delivery::open(link, options.events_path));

  if (const auto found = find_not_admitted(plan))
    return refuse_admission(*found, run, *delivery, plan.profile);
  AISPM_TRY(const UniqueFd slot, take_run_slot(plan.limits.runs));
  if (!plan.kept_home.empty()) AISPM_CHECK(make_directories(plan.kept_home, 0700));
  AISPM_TRY(const Placeholders placeholders, Placeholders::open(plan));
  AISPM_TRY(WorkspaceQuota quota, WorkspaceQuota::open(plan));
  AISPM_TRY(ForwardedSignals signals, ForwardedSignals::open());
  Terminal terminal = Terminal::examine();
  AgentStreams streams;
  AISPM_TRY(Output::Sources outside, make_streams(terminal, streams));
  const auto begin = Denials::Clock::now();
  timespec begin_of_changes{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &begin_of_changes);
  AISPM_TRY(Beginning built,
            begin_run(plan, options, run, delivery->has_taker(), signals.before(), streams));
  for (const auto& note : built.started.notes) say("note: " + note);
  RootPrefix& prefix = built.prefix;
  Watched watched = std::move(built.watched);
  outside.terminal = std::move(watched.output.terminal);
  watched.output = std::move(outside);
  watched.cpu_used = [&prefix] { return prefix.groups().cpu_used(); };
  if (plan.limits.cpu_milli != 0 && !prefix.groups().limits_cpu())
    say("note: limits.cpus does not hold: this host gives you no control group for it");
  if (!plan.runtime.executable.empty() && plan.limits.memory_bytes != 0 &&
      !prefix.groups().limits_memory())
    say("note: limits.memory does not hold: this host gives you no control group for it, and "
        "gVisor has no limit of its own");
  run.init = find_init(watched.init, watched.init_fd ? watched.init_fd.get() : -1);
  watched.signals = signals.take();
  watched.gateway = link;
  if (quota.project() != 0) watch_quota(quota, watched);
  ToldEnd end(*delivery, run);
  if (delivery->has_taker()) {
    auto mechanisms = mechanisms_of(plan, prefix, built.landlock_abi);
    if (quota.project() != 0) mechanisms.emplace_back("workspace:project_quota");
    mechanisms.push_back(watch_files(plan, std::move(built.audit), built.landlock_abi, watched));
    if (auto accepted = delivery->deliver_first(start_event(
            run, plan.argv, plan.profile, with_run_facts(run, mechanisms),
            describe_boundary(plan, mechanisms, built.digests), plan.workspace, built.kind));
        !accepted)
      return fail(accepted.error().code,
                  "the start of the run could not be reported, so nothing was started: " +
                      accepted.error().message);
  }

  report_packages(run, plan.packages, *delivery);
  AISPM_TRY(const auto supervisor,
            Supervisor::open(plan, std::move(watched), *delivery, run,
                             std::move(greeting.gateway_hosts), std::move(terminal)));
  AISPM_TRY(const auto failure, let_go(built));
  if (options.is_verbose) {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - built.asked);
    say(std::string("note: ") + (built.kind.is_warm ? "warm" : "cold") + " start, " +
        std::to_string(took.count()) + " us to the program's first step");
  }
  if (failure) {
    say(failure->text);
    ExitReport report;
    report.exit_code = static_cast<unsigned>(failure->value);
    end.tell(report);
    finish_delivery(*delivery);
    return static_cast<int>(failure->value);
  }
  Outcome outcome = supervisor->run();

  for (const auto& limit : prefix.groups().limits_hit()) {
    supervisor->add_limit(limit);
    outcome.limits.push_back(limit);
  }
  prefix.remove_groups_in_background();
  supervisor->flush();
  const auto duration =
      std::chrono::duration_cast<std::chrono::microseconds>(Denials::Clock::now() - begin);
  end.tell(ExitReport{outcome.exit_code, outcome.signal, duration, supervisor->denials(),
                      outcome.limits, outcome.ended_by_limit, outcome.output.bytes,
                      outcome.output.lines, outcome.output.lost_lines});
  for (std::size_t i = 0; i < outcome.limits.size(); ++i)
    say("limit reached: " + outcome.limits[i] +
        (outcome.limits[i] == "disk" ? ": " + outcome.full : "") +
        (i == 0 && outcome.ended_by_limit ? ", which ended the run" : ""));
  for (const auto& warning : outcome.warnings) say("warning: " + warning);
  if (!plan.workspace.empty())
    if (const auto text = to_text(find_changed_repositories(plan.workspace, begin_of_changes));
        !text.empty())
      say("warning: " + text);
  finish_delivery(*delivery);
  if (auto given = quota.close(); !given)
    say("warning: " + plan.workspace + ": " + given.error().message);
  return exit_code_of(outcome);
}

// What the agent could write would prove nothing.
Result<> check_events_path(const Host& host, const Plan& plan, const std::string& path) {
  if (path.empty()) return {};
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string whole = absolute(host, folder);
  const std::string real = host.resolve(path).value_or(host.resolve(whole).value_or(whole));
  for (const auto& mount : plan.mounts)
    if (mount.kind == Mount::Kind::kBindReadWrite && lies_in(real, mount.target))
      return fail(Errc::kInvalid, "--events " + path + ": lies in " + mount.target +
                                      ", where the agent could change it. Name a file elsewhere");
  return {};
}

}  // namespace

Result<int> launch(const Host& host, const LaunchOptions& options) {
  AISPM_TRY(Plan plan, make_plan(host, options.request));
  plan.needs_all_hosts = options.needs_all_hosts;
  if (options.dry_run) {
    std::cout << describe(plan);
    return 0;
  }
  AISPM_CHECK(check_events_path(host, plan, options.events_path));
  for (const auto& note : plan.notes) say("note: " + note);
  auto exit_code = perform(host, std::move(plan), options);
  // From here on an error means one thing: this host or the gateway cannot do it now.
  if (!exit_code)
    return fail(Errc::kUnavailable, exit_code.error().message, exit_code.error().system_errno);
  return exit_code;
}

}  // namespace aispm::sandbox
