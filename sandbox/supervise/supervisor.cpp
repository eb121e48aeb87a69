// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/supervisor.hpp"

#include <linux/if_packet.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "sandbox/model/scratch.hpp"
#include "sandbox/supervise/notifier.hpp"

namespace aispm::sandbox {
namespace {

using Clock = Denials::Clock;

constexpr int kMaxPerTurn = 256;  // packets or calls handled before others have their turn
constexpr std::chrono::milliseconds kKillDelay{2000};  // from SIGTERM to SIGKILL at the wall limit
constexpr std::chrono::milliseconds kRelayPatience{
    250};  // for the agent's last bytes to reach the gateway
constexpr std::chrono::microseconds kShortestLook{10'000};  // at the processor time used
constexpr std::chrono::microseconds kLongestLook{1'000'000};
constexpr const char* kDisk = "disk";
constexpr int kLookAgainMs = 250;  // whether our job has come to the foreground

}  // namespace

Supervisor::Supervisor(const Plan& plan, Watched watched, Delivery& delivery, RunIdentity run,
                       EventLoop loop)
    : plan_(plan),
      watched_(std::move(watched)),
      delivery_(delivery),
      run_(std::move(run)),
      loop_(std::move(loop)) {
  if (plan.limits.cpu_time.count() != 0 && watched_.cpu_used && watched_.cpu_used())
    cpu_look_ = Clock::now();
  if (plan.limits.wall_time.count() != 0) wall_deadline_ = Clock::now() + plan.limits.wall_time;
}

Result<std::unique_ptr<Supervisor>> Supervisor::open(const Plan& plan, Watched watched,
                                                     Delivery& delivery, RunIdentity run,
                                                     std::vector<std::string> gateway_hosts,
                                                     Terminal terminal) {
  AISPM_TRY(EventLoop loop, EventLoop::open());
  std::unique_ptr<Supervisor> supervisor(
      new Supervisor(plan, std::move(watched), delivery, std::move(run), std::move(loop)));
  AISPM_CHECK(supervisor->watch_all(std::move(gateway_hosts)));
  supervisor->output_ = std::make_unique<Output>(supervisor->loop_, delivery, supervisor->run_,
                                                 plan.limits.output_bytes, std::move(terminal));
  return supervisor;
}

Result<> Supervisor::watch_all(std::vector<std::string> gateway_hosts) {
  AISPM_CHECK(
      loop_.add(watched_.control.get(), EPOLLIN, [this](std::uint32_t) { read_control(); }));
  AISPM_CHECK(
      loop_.add(watched_.signals.get(), EPOLLIN, [this](std::uint32_t) { read_signals(); }));
  AISPM_CHECK(
      loop_.add(watched_.listener.get(), EPOLLIN, [this](std::uint32_t) { refuse_calls(); }));
  if (watched_.quota)
    AISPM_CHECK(loop_.add(watched_.quota->fd(), EPOLLIN,
                          [this](std::uint32_t) { look_at_workspace(false); }));
  if (watched_.audit)
    AISPM_CHECK(loop_.add(watched_.audit->fd(), EPOLLIN,
                          [this](std::uint32_t) { add_denials(watched_.audit->read()); }));
  return watch_network(std::move(gateway_hosts));
}

Outcome Supervisor::run() {
  // Not before: until here the caller's terminal is as it was.
  if (auto started = output_->start(std::move(watched_.output)); !started) {
    warnings_.push_back(started.error().message);
    kill_init();
  }
  if (watched_.gateway)
    freezes_.emplace(std::move(*watched_.gateway), loop_,
                     [this](const FreezeWord& word) { hear_freeze(word); });
  while (!wait_status_ && !is_init_gone_) {
    if (freezes_) freezes_->keep(Clock::now());
    if (auto ran = loop_.run_once(wait_ms()); !ran) {
      warnings_.push_back(ran.error().message);
      kill_init();
      break;
    }
    if (Clock::now() >= denials_.due()) flush();
    relay_->expire(Clock::now());
    keep_wall_time();
    keep_cpu_time();
    if (output_->is_over_limit() && ended_by_.empty()) {
      end_by("output");
      kill_init();
    }
    if (output_->terminal().is_waiting()) output_->terminal().resume();
  }
  freezes_.reset();
  Outcome outcome;
  finish(outcome);
  return outcome;
}

// A frozen run stands still with all its processes until it is let go or killed.
void Supervisor::hear_freeze(const FreezeWord& word) {
  if (word.freeze == Freeze::kKilled && ended_by_.empty()) {
    warnings_.push_back("an operator ended this run: " + word.reason);
    end_by("kill_switch");
    kill_init();
    return;
  }
  const bool is_frozen = word.freeze == Freeze::kFrozen;
  if (is_frozen == is_frozen_) return;
  is_frozen_ = is_frozen;
  if (is_frozen) warnings_.push_back("an operator froze this run for a while: " + word.reason);
  signal_all(is_frozen ? SIGSTOP : SIGCONT);
}

void Supervisor::signal_all(int number) {
  ControlMessage message;
  message.kind = ControlKind::kSignal;
  message.value = static_cast<std::uint64_t>(number);
  message.extra = kToAll;
  // Fails only when init has just ended, which the control socket tells next.
  (void)::send(watched_.control.get(), &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Supervisor::kill_init() {
  if (watched_.init_fd)
    (void)::syscall(SYS_pidfd_send_signal, watched_.init_fd.get(), SIGKILL, nullptr, 0);
  else
    ::kill(watched_.init, SIGKILL);
}

// Gives its wait status. That of a process that is no child of ours is not told: without a report
// it was killed.
int Supervisor::await_init() {
  if (watched_.init_fd) {
    pollfd ended{watched_.init_fd.get(), POLLIN, 0};
    while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
    }
    return SIGKILL;
  }
  int status = 0;
  // __WALL: behind the root prefix init is a "clone" child.
  while (::waitpid(watched_.init, &status, __WALL) < 0 && errno == EINTR) {
  }
  return status;
}

void Supervisor::finish(Outcome& outcome) {
  // With its report init says that every other process has ended, and needs no waiting for. Without
  // it: returns when the kernel has ended them all.
  const int init_status = wait_status_ ? 0 : await_init();
  const auto deadline = Clock::now() + kRelayPatience;
  while (!relay_->is_idle() && Clock::now() < deadline)
    if (!loop_.run_once(10)) break;
  read_packets();
  read_dns(watched_.dns4.get(), AF_INET);
  if (watched_.dns6) read_dns(watched_.dns6.get(), AF_INET6);
  if (watched_.audit) {
    add_denials(watched_.audit->read_last());
    if (const auto lost = watched_.audit->lost(); lost != 0)
      add_denial({DenialKind::kFile, "(unseen: the kernel dropped audit records)", ""}, lost);
  }
  tpacket_stats lost{};
  socklen_t size = sizeof(lost);
  if (::getsockopt(watched_.monitor.get(), SOL_PACKET, PACKET_STATISTICS, &lost, &size) == 0 &&
      lost.tp_drops != 0)
    add_denial({DenialKind::kConnect, "(unseen: too many at once)", ""}, lost.tp_drops);
  loop_.remove(watched_.monitor.get());
  watched_.monitor.reset();  // init holds it too, and goes after us
  const int status = wait_status_.value_or(init_status);
  if (watched_.is_workspace_full) look_at_workspace(true);
  if (WIFSIGNALED(status)) {
    outcome.signal = static_cast<unsigned>(WTERMSIG(status));
    if (const std::string limit = limit_behind(WTERMSIG(status));
        ended_by_.empty() && !limit.empty()) {
      ended_by_ = limit;
      if (limit != kDisk) add_limit(limit);  // that was told when it was seen
    }
  } else {
    outcome.exit_code = static_cast<unsigned>(WEXITSTATUS(status));
  }
  finish_output(outcome);
  if (!ended_by_.empty()) outcome.limits.push_back(ended_by_);
  outcome.ended_by_limit = !ended_by_.empty();
  if (!full_.empty() && ended_by_ != kDisk) outcome.limits.emplace_back(kDisk);
  outcome.full = full_;
  if (relay_->failures() != 0)
    warnings_.push_back(std::to_string(relay_->failures()) +
                        " connections to the gateway failed: " + relay_->last_error());
  outcome.warnings = warnings_;
}

// The reader may be slow: waits for it as the agent's last write would have, until the caller or
// the wall time ends that.
void Supervisor::finish_output(Outcome& outcome) {
  while (!output_->drain() && !is_abandoned_) {
    const bool is_late = !ended_by_.empty() || Clock::now() >= wall_deadline_;
    if (is_late || !loop_.run_once(wait_ms())) break;
  }
  outcome.output = output_->finish();
  for (const auto& failure : outcome.output.failures) warnings_.push_back(failure);
}

int Supervisor::wait_ms() const {
  const auto listens = freezes_ ? freezes_->due() : Clock::time_point::max();
  const auto next = std::min({denials_.due(), wall_deadline_, cpu_look_, relay_->due(), listens});
  const bool looks_again = output_->terminal().is_waiting();
  if (next == Clock::time_point::max()) return looks_again ? kLookAgainMs : -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, looks_again ? kLookAgainMs : 60'000));
}

void Supervisor::keep_wall_time() {
  if (Clock::now() < wall_deadline_) return;
  if (ended_by_.empty()) {
    wall_deadline_ = Clock::now() + kKillDelay;
    end_by("wall_time");
    forward_signal(SIGTERM, false);
    return;
  }
  kill_init();  // takes the whole pid namespace with it
  wall_deadline_ = Clock::time_point::max();
}

// Looks again when it could be used up at the earliest, with every processor at work.
void Supervisor::keep_cpu_time() {
  const auto now = Clock::now();
  if (now < cpu_look_) return;
  const auto used = watched_.cpu_used().value_or(std::chrono::microseconds(0));
  if (used >= plan_.limits.cpu_time) {
    cpu_look_ = Clock::time_point::max();
    if (!ended_by_.empty()) return;
    end_by("cpu_time");
    forward_signal(SIGTERM, false);
    wall_deadline_ = now + kKillDelay;
    return;
  }
  const auto left =
      (plan_.limits.cpu_time - used) / std::max(1U, std::thread::hardware_concurrency());
  cpu_look_ = now + std::clamp<std::chrono::microseconds>(left, kShortestLook, kLongestLook);
}

// The kernel's own limits end a process with a signal of their own.
std::string Supervisor::limit_behind(int signal) const {
  if (signal == SIGXCPU && plan_.limits.cpu_time.count() != 0) return "cpu_time";
  if (signal == SIGXFSZ && plan_.limits.file_size_bytes != 0) return "file_size";
  // A page of a file that is mapped into memory found no room.
  if (signal == SIGBUS && !full_.empty()) return kDisk;
  return "";
}

// Bits of scratch_folders(), each told once.
void Supervisor::note_full(std::uint64_t folders) {
  const auto scratch = scratch_folders(plan_.mounts);
  for (std::size_t i = 0; i < scratch.size(); ++i)
    if ((folders >> i & 1U) != 0) note_full(scratch[i]->target, scratch[i]->bytes);
}

void Supervisor::note_full(const std::string& folder, std::uint64_t bytes) {
  Denial denial;
  denial.kind = DenialKind::kLimit;
  denial.target = kDisk;
  denial.reason = folder + " was full (" + std::to_string(bytes) + " bytes)";
  full_ += (full_.empty() ? "" : ", ") + denial.reason;
  add_denial(std::move(denial));
}

// By what the kernel announced; at the end also by what is left.
void Supervisor::look_at_workspace(bool is_end) {
  const bool is_refused = watched_.quota && watched_.quota->read();
  if (is_workspace_full_ || !(is_refused || (is_end && watched_.is_workspace_full()))) return;
  is_workspace_full_ = true;
  note_full(plan_.workspace, plan_.limits.workspace_bytes);
}

void Supervisor::add_limit(const std::string& limit) {
  Denial denial;
  denial.kind = DenialKind::kLimit;
  denial.target = limit;
  add_denial(std::move(denial));
}

void Supervisor::end_by(const std::string& limit) {
  ended_by_ = limit;
  add_limit(limit);
}

void Supervisor::add_denial(Denial denial, std::uint64_t count) {
  denials_.add(std::move(denial), count, Clock::now());
}

void Supervisor::add_denials(std::vector<Denial> denials) {
  for (auto& denial : denials) add_denial(std::move(denial));
}

void Supervisor::flush() {
  const auto now = Clock::now();
  const auto wall = wall_now();
  for (const auto& folded : denials_.take()) delivery_.offer(denial_event(run_, folded, now, wall));
}

void Supervisor::read_control() {
  auto received = receive_message(watched_.control.get(), 0);
  if (received) return handle_control(received->message);
  if (received.error().code == Errc::kDeadlineExceeded) return;
  is_init_gone_ = true;  // killed, by the out-of-memory killer or by the wall time
  loop_.remove(watched_.control.get());
}

void Supervisor::handle_control(const ControlMessage& message) {
  if (message.kind == ControlKind::kExited) wait_status_ = static_cast<int>(message.value);
  if (message.kind == ControlKind::kStopped) on_stopped();
  if (message.kind == ControlKind::kFull) note_full(message.value);
}

void Supervisor::forward_signal(int number, bool to_group) {
  if (is_frozen_ && number == SIGCONT) return;  // only operators let it go
  ControlMessage message;
  message.kind = ControlKind::kSignal;
  message.value = static_cast<std::uint64_t>(number);
  message.extra = to_group ? 1 : 0;
  // Fails only when init has just ended, which the control socket tells next.
  (void)::send(watched_.control.get(), &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Supervisor::read_signals() {
  signalfd_siginfo info{};
  while (::read(watched_.signals.get(), &info, sizeof(info)) ==
         static_cast<ssize_t>(sizeof(info))) {
    const int number = static_cast<int>(info.ssi_signo);
    Terminal& terminal = output_->terminal();
    is_asked_to_stop_ = is_asked_to_stop_ || number == SIGTSTP;
    if (number == SIGWINCH) {
      terminal.resize();  // which tells whoever is in front inside
    } else if (info.ssi_code == SI_KERNEL) {
      forward_key(number);
    } else if (number == SIGCONT) {
      terminal.resume();
      forward_signal(SIGCONT, true);
    } else {
      forward_signal(number, false);
    }
    const bool is_end =
        number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
    is_abandoned_ = is_abandoned_ || (is_end && wait_status_);
  }
}

// A signal of the caller's terminal: it is for whoever is in front inside, or for the agent's
// group.
void Supervisor::forward_key(int number) {
  Terminal& terminal = output_->terminal();
  if (number == SIGHUP && terminal.is_attached()) {
    // The kernel tells only the leader of the session inside, which is process 1.
    forward_signal(SIGHUP, true);
    forward_signal(SIGCONT, true);
    terminal.hang_up();
  } else if (!terminal.signal_front(number)) {
    forward_signal(number, true);
  }
}

// The agent has stopped. With a terminal, or when we were asked for it, the job stops with it;
// otherwise whoever stopped it continues it.
void Supervisor::on_stopped() {
  if (is_frozen_) return;  // we stopped it
  if (!output_->terminal().is_attached() && !is_asked_to_stop_) return;
  is_asked_to_stop_ = false;
  output_->terminal().suspend();
  forward_signal(SIGCONT, true);
}

void Supervisor::refuse_calls() {
  for (int i = 0; i < kMaxPerTurn; ++i) {
    pollfd ready{watched_.listener.get(), POLLIN, 0};
    if (::poll(&ready, 1, 0) <= 0) return;
    if ((ready.revents & POLLIN) == 0) {  // POLLHUP: the last process under the filter has ended
      loop_.remove(watched_.listener.get());
      return;
    }
    auto name = refuse_call(watched_.listener.get());
    if (!name) {
      // Unanswered calls stay blocked: nothing is let through.
      warnings_.push_back(name.error().message);
      loop_.remove(watched_.listener.get());
      return;
    }
    if (!name->empty()) add_denial({DenialKind::kSyscall, std::move(*name), "", kRefusedCall});
  }
}

}  // namespace aispm::sandbox
