// SPDX-License-Identifier: Apache-2.0
#include "sandbox/begin.hpp"

#include <iostream>

#include "sandbox/apply/digest.hpp"
#include "sandbox/plan/runtime.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kBuildTimeoutMs = 20'000;

Result<Received> next_step(const Started& started) {
  auto received = receive_message(started.setup.get(), kBuildTimeoutMs);
  if (!received)
    return fail(received.error().code,
                "the sandbox could not be built: " + received.error().message);
  if (received->message.kind == ControlKind::kFailed)
    return fail(Errc::kUnsupported, received->message.text);
  return received;
}

// Waits until process 2 stands before exec, which process 1 may have told its own end before. Gives
// the message with the seccomp listener.
Result<Received> await_listener(const Started& started, bool& is_built) {
  AISPM_TRY(Received received, next_step(started));
  if (received.message.kind == ControlKind::kBuilt) {
    is_built = true;
    AISPM_TRY(received, next_step(started));
  }
  if (received.message.kind != ControlKind::kListener)
    return fail(Errc::kInternal, "the sandbox's steps came out of order");
  if (received.fds.size() != 1)
    return fail(Errc::kInternal, "the sandbox sent no seccomp listener");
  return received;
}

Result<Watched> collect_sockets(Received sockets, const Plan& plan, RunIdentity& run) {
  if (sockets.message.kind != ControlKind::kSockets)
    return fail(Errc::kInternal, "the sandbox's steps came out of order");
  const bool has_ip6 = sockets.message.extra != 0;
  const std::size_t expected = 3U + (has_ip6 ? 1U : 0U) + (plan.gateway_socket.empty() ? 0U : 1U);
  if (sockets.fds.size() != expected)
    return fail(Errc::kInternal, "the sandbox sent an unexpected number of sockets");
  run.pid_namespace = sockets.message.value;
  Watched watched;
  watched.monitor = std::move(sockets.fds[0]);
  watched.dns4 = std::move(sockets.fds[1]);
  watched.dns_tcp = std::move(sockets.fds[2]);
  if (has_ip6) watched.dns6 = std::move(sockets.fds[3]);
  if (!plan.gateway_socket.empty()) watched.proxy = std::move(sockets.fds.back());
  return watched;
}

Result<UniqueFd> collect_terminal(Started& started) {
  AISPM_TRY(Received received, next_step(started));
  if (received.message.kind != ControlKind::kTerminal || received.fds.size() != 1)
    return fail(Errc::kInternal, "the sandbox sent no terminal");
  return std::move(received.fds[0]);
}

Result<std::unique_ptr<Audit>> open_audit(const RootPrefix& prefix, const RunIdentity& run,
                                          bool is_reported) {
  if (!prefix.is_root() || !is_reported) return fail(Errc::kUnsupported, "not root");
  return Audit::open(prefix.uid(), run.session_id);
}

Result<Beginning> begin_cold(const Plan& plan, RunIdentity& run, bool is_reported,
                             const sigset_t& signal_mask, AgentStreams& streams) {
  AISPM_TRY(RootPrefix prefix, RootPrefix::open(host_limits(plan)));
  auto audit = open_audit(prefix, run, is_reported);
  Plan wrapped;
  if (!plan.runtime.executable.empty()) {
    wrapped = plan;
    AISPM_CHECK(wrap_in_runtime(wrapped, streams.is_terminal, prefix.groups().limits_memory()));
  }
  AISPM_TRY(Started started, start_sandbox(plan.runtime.executable.empty() ? plan : wrapped, prefix,
                                           signal_mask, streams));
  InitGuard guard(started.init);
  // While the sandbox builds itself.
  auto digests = is_reported ? digest_programs(plan) : std::vector<std::string>();
  std::signal(SIGPIPE, SIG_IGN);  // after the clone: the program inherits the caller's choice
  AISPM_TRY(Received sockets, next_step(started));
  AISPM_TRY(Watched watched, collect_sockets(std::move(sockets), plan, run));
  if (streams.wants_terminal()) {
    AISPM_TRY(watched.output.terminal, collect_terminal(started));
  }
  bool is_built = false;
  AISPM_TRY(Received ready, await_listener(started, is_built));
  watched.init = started.init;
  watched.listener = std::move(ready.fds[0]);
  watched.control = std::move(started.control);
  return Beginning{.prefix = std::move(prefix),
                   .audit = std::move(audit),
                   .started = std::move(started),
                   .watched = std::move(watched),
                   .guard = std::move(guard),
                   .lease = UniqueFd(),
                   .is_built = is_built,
                   .landlock_abi = static_cast<int>(ready.message.value),
                   .digests = std::move(digests),
                   .kind = {},
                   .asked = {}};
}

Result<Beginning> begin_warm(Warm warm, const Plan& plan, RunIdentity& run, bool is_reported,
                             const sigset_t& signal_mask, AgentStreams& streams) {
  auto audit = open_audit(warm.prefix, run, is_reported);
  AISPM_TRY(Watched watched, collect_sockets(std::move(warm.sockets), plan, run));
  Started started;
  AISPM_TRY(Received ready, prepare_warm(warm, plan, signal_mask, streams, started.notes));
  AISPM_CHECK(send_message(warm.control.get(), ControlMessage{ControlKind::kBegin, 0, 0, {}}));
  watched.listener = std::move(ready.fds[0]);
  watched.control = std::move(warm.control);
  watched.init_fd = std::move(warm.init);
  started.setup = std::move(warm.setup);
  std::signal(SIGPIPE, SIG_IGN);
  streams.output.reset();
  streams.errors.reset();
  return Beginning{.prefix = std::move(warm.prefix),
                   .audit = std::move(audit),
                   .started = std::move(started),
                   .watched = std::move(watched),
                   .guard = InitGuard(),
                   .lease = std::move(warm.lease),
                   .is_built = true,
                   .landlock_abi = static_cast<int>(ready.message.value),
                   .digests = is_reported ? digest_programs(plan) : std::vector<std::string>(),
                   .kind = {.is_warm = true, .cold_reason = ""},
                   .asked = {}};
}

}  // namespace

Result<Beginning> begin_run(const Plan& plan, const LaunchOptions& options, RunIdentity& run,
                            bool is_reported, const sigset_t& signal_mask, AgentStreams& streams) {
  const auto asked = std::chrono::steady_clock::now();
  std::string reason;
  if (!options.pool_socket.empty() && !plan.runtime.executable.empty()) {
    reason = "gVisor starts anew each time";
  } else if (!options.pool_socket.empty()) {
    auto warm = take_warm(plan, options, streams);
    if (warm) {
      auto begun = begin_warm(std::move(*warm), plan, run, is_reported, signal_mask, streams);
      if (begun) {
        begun->asked = asked;
        return begun;
      }
      reason = begun.error().message;
    } else {
      reason = warm.error().message;
    }
  }
  if (options.is_verbose && !reason.empty())
    std::cerr << "aispm-run: note: cold start, not from the pool: " << reason << "\n";
  AISPM_TRY(Beginning begun, begin_cold(plan, run, is_reported, signal_mask, streams));
  begun.kind.cold_reason = reason;
  begun.asked = asked;
  return begun;
}

Result<std::optional<ControlMessage>> let_go(Beginning& built) {
  const int setup = built.started.setup.get();
  if (!built.is_built) {
    auto told = receive_message(setup, kBuildTimeoutMs);
    if (!told)
      return fail(told.error().code, "the sandbox could not be built: " + told.error().message);
    if (told->message.kind == ControlKind::kFailed) return told->message;
    if (told->message.kind != ControlKind::kBuilt)
      return fail(Errc::kInternal, "the sandbox's steps came out of order");
    built.is_built = true;
  }
  AISPM_CHECK(send_message(setup, ControlMessage{ControlKind::kGo, 0, 0, {}}));
  // exec closes the set-up socket; anything on it is the reason why it failed.
  auto received = receive_message(setup, kBuildTimeoutMs);
  if (received) return received->message;
  built.guard.release();
  return std::nullopt;
}

}  // namespace aispm::sandbox
