// SPDX-License-Identifier: Apache-2.0
#include "sandbox/pool/entry.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace aispm::sandbox {
namespace {

Result<RootPrefix> prefix_for(const PoolKey& key, const Limits& limits, std::uint64_t number) {
  const std::string name =
      "aispm-pool-" + std::to_string(::getpid()) + "-" + std::to_string(number);
  if (::geteuid() != 0)
    return RootPrefix::adopt(0, UniqueFd(), ControlGroups::open_delegated(limits, name + ".scope"));
  if (key.caller.uid != 0) return RootPrefix::open_for(limits, key.caller, name);
  return RootPrefix::open(limits);
}

}  // namespace

Result<std::unique_ptr<Entry>> Entry::start(const PoolKey& key, const Plan& base,
                                            const UniqueFd& library, const std::string& runner,
                                            std::uint64_t number, const sigset_t& signal_mask) {
  AISPM_TRY(RootPrefix prefix, prefix_for(key, base.limits, number));
  std::unique_ptr<Entry> entry(new Entry(key, std::move(prefix)));
  entry->interpreter_ = key.want.interpreter;
  if (!entry->interpreter_.empty() && ::stat(entry->interpreter_.c_str(), &entry->identity_) != 0)
    return fail_errno("stat " + entry->interpreter_);
  int port[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, port) != 0)
    return fail_errno("socketpair");
  entry->port_.reset(port[0]);
  WarmParts parts;
  parts.port.reset(port[1]);
  if (!entry->interpreter_.empty()) {
    parts.library.reset(::fcntl(library.get(), F_DUPFD_CLOEXEC, 3));
    if (!parts.library) return fail_errno("share the library");
    parts.runner = runner;
  }
  AgentStreams streams;
  AISPM_TRY(Started started, start_sandbox(base, entry->prefix_, signal_mask, streams, &parts));
  entry->init_ = started.init;
  entry->setup_ = std::move(started.setup);
  entry->control_ = std::move(started.control);
  if (entry->init_ <= 0) {
    auto why = receive_message(entry->setup_.get(), 0);
    return fail(Errc::kUnsupported,
                why ? std::string(why->message.text) : std::string("no process was started"));
  }
  entry->pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, entry->init_, 0)));
  if (!entry->pidfd_) return fail_errno("pidfd_open");
  return entry;
}

Entry::~Entry() {
  if (init_ > 0 && !is_reaped_) {
    kill();
    while (::waitpid(init_, nullptr, __WALL) < 0 && errno == EINTR) {
    }
  }
}

Result<> Entry::advance() {
  AISPM_TRY(Received received, receive_message(setup_.get(), 0));
  switch (received.message.kind) {
    case ControlKind::kSockets:
      sockets_ = std::move(received);
      return {};
    case ControlKind::kBuilt:
      return send_message(setup_.get(), ControlMessage{ControlKind::kWarmUp, 0, 0, {}});
    case ControlKind::kReady:
      if (!sockets_) return fail(Errc::kInternal, "the sandbox's steps came out of order");
      is_ready_ = true;
      build_time_ = std::chrono::duration_cast<std::chrono::microseconds>(PoolClock::now() - born_);
      return {};
    case ControlKind::kFailed:
      return fail(Errc::kUnsupported, received.message.text);
    default:
      return fail(Errc::kInternal, "an unexpected message");
  }
}

bool Entry::is_current() const {
  if (interpreter_.empty()) return true;
  struct stat now {};
  return ::stat(interpreter_.c_str(), &now) == 0 && now.st_dev == identity_.st_dev &&
         now.st_ino == identity_.st_ino && now.st_mtim.tv_sec == identity_.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == identity_.st_mtim.tv_nsec;
}

Result<> Entry::hand_over(int connection) {
  ControlMessage taken;
  taken.kind = ControlKind::kTaken;
  taken.value = prefix_.uid();
  const std::string groups = prefix_.groups().share();
  if (groups.size() >= sizeof(taken.text)) return fail(Errc::kTooLarge, "too many control groups");
  std::memcpy(taken.text, groups.data(), groups.size());
  std::vector<int> fds = {setup_.get(), control_.get(), port_.get(), pidfd_.get()};
  if (prefix_.is_root()) fds.push_back(prefix_.slot());
  AISPM_CHECK(send_message(connection, taken, fds));
  std::vector<int> sockets;
  for (const auto& socket : sockets_->fds) sockets.push_back(socket.get());
  AISPM_CHECK(send_message(connection, sockets_->message, sockets));
  setup_.reset();
  control_.reset();
  port_.reset();
  sockets_.reset();
  return {};
}

void Entry::kill() {
  if (init_ > 0 && !is_reaped_) ::kill(init_, SIGKILL);
}

bool Entry::try_tidy() {
  if (!is_reaped_) is_reaped_ = ::waitpid(init_, nullptr, WNOHANG | __WALL) == init_;
  return is_reaped_ && prefix_.groups().try_remove();
}

void Entry::forget() {
  is_reaped_ = true;
  prefix_.groups().forget();
}

}  // namespace aispm::sandbox
