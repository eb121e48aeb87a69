// SPDX-License-Identifier: Apache-2.0
// The taker's side of the warm pool (ADR 0037).
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "sandbox/apply/real_host.hpp"
#include "sandbox/begin.hpp"
#include "sandbox/plan/base.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kTakeTimeoutMs = 200;  // an answer takes microseconds; a cold start takes 4 ms
constexpr int kPrepareTimeoutMs = 5000;

Result<UniqueFd> memory_file(const char* name, const std::string& bytes) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno("memfd_create");
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t size = ::write(file.get(), bytes.data() + at, bytes.size() - at);
    if (size < 0) return fail_errno("write to memory");
    at += static_cast<std::size_t>(size);
  }
  // The reader shares our place in the file.
  if (::lseek(file.get(), 0, SEEK_SET) != 0 ||
      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
          0)
    return fail_errno("seal memory");
  return file;
}

// Only root, or we ourselves, may hand us a sandbox: what runs in it gets our secrets.
Result<UniqueFd> connect_pool(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return fail(Errc::kInvalid, "the pool's path is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail(Errc::kUnavailable, "no pool at " + path + ": " + std::strerror(errno));
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return fail_errno("ask who the pool is");
  if (peer.uid != 0 && peer.uid != ::geteuid())
    return fail(Errc::kDenied, "the pool at " + path + " is neither root's nor this user's");
  return socket;
}

// What a process inherits and a waiting one cannot be given.
Result<> check_signals() {
  for (int number = 1; number < 32; ++number) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
      return fail(Errc::kUnsupported, "signal " + std::to_string(number) + " is ignored");
  }
  return {};
}

Result<Received> expect(int socket, ControlKind kind, std::size_t fds, int timeout_ms) {
  AISPM_TRY(Received received, receive_message(socket, timeout_ms));
  if (received.message.kind == ControlKind::kFailed)
    return fail(Errc::kUnavailable, received.message.text);
  if (received.message.kind != kind || received.fds.size() < fds)
    return fail(Errc::kInternal, "the pool answered something else");
  return received;
}

std::size_t count_binds(const std::vector<Mount>& mounts) {
  return static_cast<std::size_t>(std::count_if(mounts.begin(), mounts.end(), [](const auto& one) {
    return one.kind <= Mount::Kind::kDevice;
  }));
}

// As root the trees are opened here, because the agent's user may not reach them.
Result<> send_mounts(const Warm& warm, std::vector<std::string>& notes) {
  AISPM_TRY(const UniqueFd file, memory_file("aispm-mounts", encode_mounts(warm.late)));
  std::vector<UniqueFd> trees;
  if (warm.prefix.is_root()) {
    Plan late;
    late.mounts = warm.late;
    AISPM_TRY(auto sources, open_sources(late, warm.prefix.uid(), notes));
    for (auto& source : sources)
      if (source) trees.push_back(std::move(source));
  }
  ControlMessage message;
  message.kind = ControlKind::kPlace;
  message.value = warm.prefix.is_root() ? count_binds(warm.late) : 0;
  std::vector<int> fds = {file.get()};
  std::size_t next = 0;
  do {
    while (next < trees.size() && fds.size() < kMaxMessageFds) fds.push_back(trees[next++].get());
    AISPM_CHECK(send_message(warm.port.get(), message, fds));
    message.kind = ControlKind::kTrees;
    fds.clear();
  } while (next < trees.size());
  return {};
}

Result<UniqueFd> what_to_run(const Warm& warm, const Plan& plan, const sigset_t& signal_mask,
                             unsigned landlock_flags) {
  EnterHeader header{};
  header.landlock_flags = landlock_flags;
  std::memcpy(&header.signal_mask, &signal_mask, sizeof(header.signal_mask));
  header.umask = ::umask(0);
  ::umask(static_cast<mode_t>(header.umask));
  AISPM_TRY(const auto limits, limits_to_hand_over(plan.limits, warm.prefix.groups().limits()));
  if (limits.size() > kMaxEnterLimits) return fail(Errc::kInternal, "more limits than known");
  std::copy(limits.begin(), limits.end(), header.limit);
  header.limits = static_cast<std::uint32_t>(limits.size());
  AISPM_TRY(const std::string bytes, encode_enter(header, plan.folder, plan.executable, plan.script,
                                                  plan.argv, plan.environment));
  return memory_file("aispm-enter", bytes);
}

}  // namespace

Result<Warm> take_warm(const Plan& plan, const LaunchOptions& options,
                       const AgentStreams& streams) {
  if (streams.wants_terminal())
    return fail(Errc::kUnsupported, "it has a terminal, which is made with the sandbox");
  AISPM_CHECK(check_signals());
  AISPM_TRY(Want want, want_for(plan, options.request.profile));
  AISPM_TRY(Plan base, make_base(RealHost({}), want));
  if (!suits_interpreter(plan, base)) {
    want.interpreter.clear();
    want.locale.clear();
    AISPM_TRY(base, make_base(RealHost({}), want));
  }
  Warm warm{.prefix = RootPrefix::adopt(0, UniqueFd(), ControlGroups()),
            .setup = UniqueFd(),
            .control = UniqueFd(),
            .port = UniqueFd(),
            .init = UniqueFd(),
            .lease = UniqueFd(),
            .sockets = {},
            .late = {}};
  AISPM_TRY(warm.late, late_mounts(plan, base));
  want.fingerprint = fingerprint_of(base);
  AISPM_TRY(warm.lease, connect_pool(options.pool_socket));
  ControlMessage request;
  request.kind = ControlKind::kTake;
  AISPM_TRY(const std::string text, encode_want(want));
  std::memcpy(request.text, text.data(), text.size());
  AISPM_CHECK(send_message(warm.lease.get(), request));
  AISPM_TRY(Received taken, expect(warm.lease.get(), ControlKind::kTaken, 4, kTakeTimeoutMs));
  AISPM_TRY(warm.sockets, expect(warm.lease.get(), ControlKind::kSockets, 3, kTakeTimeoutMs));
  warm.setup = std::move(taken.fds[0]);
  warm.control = std::move(taken.fds[1]);
  warm.port = std::move(taken.fds[2]);
  warm.init = std::move(taken.fds[3]);
  const bool has_uid = taken.message.value != 0;
  if (has_uid != (::geteuid() == 0) || (has_uid && taken.fds.size() != 5))
    return fail(Errc::kInternal, "the pool gave a sandbox of another user");
  warm.prefix = RootPrefix::adopt(static_cast<unsigned>(taken.message.value),
                                  has_uid ? std::move(taken.fds[4]) : UniqueFd(),
                                  ControlGroups::shared(taken.message.text));
  return warm;
}

Result<Received> prepare_warm(Warm& warm, const Plan& plan, const sigset_t& signal_mask,
                              const AgentStreams& streams, std::vector<std::string>& notes) {
  AISPM_CHECK(send_mounts(warm, notes));
  AISPM_TRY(const Received rules,
            expect(warm.port.get(), ControlKind::kRules, 1, kPrepareTimeoutMs));
  AISPM_TRY(const UniqueFd payload, what_to_run(warm, plan, signal_mask, rules.message.extra));
  AISPM_CHECK(send_message(warm.setup.get(), ControlMessage{ControlKind::kEnter, 0, 0, {}},
                           {payload.get(), rules.fds[0].get(), STDIN_FILENO, streams.output.get(),
                            streams.errors.get()}));
  AISPM_TRY(Received listener,
            expect(warm.setup.get(), ControlKind::kListener, 1, kPrepareTimeoutMs));
  listener.message.value = rules.message.value;
  return listener;
}

}  // namespace aispm::sandbox
