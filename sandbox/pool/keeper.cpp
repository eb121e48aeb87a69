// SPDX-License-Identifier: Apache-2.0
#include "sandbox/pool/keeper.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iostream>

#include "sandbox/apply/group_sweep.hpp"
#include "sandbox/plan/base.hpp"
#include "sandbox/plan/program.hpp"
#include "sandbox/pool/peer.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::chrono::seconds kVisitPatience{2};
constexpr int kTurnMs = 1000;  // ages are looked at so often
constexpr int kTidyMs = 5;

void say(const std::string& text) { std::cerr << "aispm-pool: " << text << "\n"; }

std::string median(std::vector<std::chrono::microseconds> times) {
  if (times.empty()) return "0";
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return std::to_string(times[times.size() / 2].count());
}

// What runs before the sandbox is locked must be the system's own.
Result<> check_interpreter(const Host& host, const std::string& path) {
  if (path.empty()) return {};
  const auto real = host.resolve(path);
  struct stat status {};
  if (!real || !is_system_path(path) || !is_system_path(*real) ||
      ::stat(real->c_str(), &status) != 0 || status.st_uid != 0 || (status.st_mode & 022) != 0 ||
      !S_ISREG(status.st_mode))
    return fail(Errc::kDenied, path + ": only interpreters of the system wait in the pool");
  return {};
}

}  // namespace

Keeper::Keeper(PoolSettings settings, EventLoop loop)
    : settings_(std::move(settings)), loop_(std::move(loop)) {}

Result<std::unique_ptr<Keeper>> Keeper::open(PoolSettings settings, UniqueFd library,
                                             std::string runner, UniqueFd signals,
                                             const sigset_t& signal_mask) {
  AISPM_TRY(EventLoop loop, EventLoop::open());
  std::unique_ptr<Keeper> keeper(new Keeper(std::move(settings), std::move(loop)));
  keeper->library_ = std::move(library);
  keeper->runner_ = std::move(runner);
  keeper->signals_ = std::move(signals);
  keeper->signal_mask_ = signal_mask;
  AISPM_CHECK(keeper->listen());
  Keeper* self = keeper.get();
  AISPM_CHECK(self->loop_.add(self->listener_.get(), EPOLLIN,
                              [self](std::uint32_t) { self->accept_visitor(); }));
  AISPM_CHECK(self->loop_.add(self->signals_.get(), EPOLLIN,
                              [self](std::uint32_t) { self->read_signals(); }));
  return keeper;
}

Keeper::~Keeper() {
  for (auto& leaving : leaving_)
    if (leaving.connection) leaving.entry->forget();  // an agent runs in it
  if (listener_) (void)::unlink(settings_.socket.c_str());
}

Result<> Keeper::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (settings_.socket.size() >= sizeof(address.sun_path))
    return fail(Errc::kInvalid, settings_.socket + ": too long for a socket's path");
  std::memcpy(address.sun_path, settings_.socket.data(), settings_.socket.size());
  const auto slash = settings_.socket.rfind('/');
  if (slash != std::string::npos && slash != 0)
    AISPM_CHECK(make_directories(settings_.socket.substr(0, slash), 0755));
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("socket");
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(socket.get(), where, sizeof(address)) == 0)
    return fail(Errc::kUnavailable, settings_.socket + ": another pool is there");
  (void)::unlink(settings_.socket.c_str());
  if (::bind(socket.get(), where, sizeof(address)) != 0)
    return fail_errno("bind " + settings_.socket);
  // Everybody may ask; what they get is theirs.
  if (::chmod(settings_.socket.c_str(), ::geteuid() == 0 ? 0666 : 0600) != 0)
    return fail_errno("chmod " + settings_.socket);
  if (::listen(socket.get(), 128) != 0) return fail_errno("listen on " + settings_.socket);
  listener_ = std::move(socket);
  return {};
}

Result<> Keeper::run() {
  while (!is_ending_) {
    const bool is_busy = std::any_of(leaving_.begin(), leaving_.end(),
                                     [](const Leaving& one) { return !one.connection; });
    const auto pause = std::chrono::ceil<std::chrono::milliseconds>(next_start_ - PoolClock::now());
    int wait = is_busy ? kTidyMs : kTurnMs;
    if (pause.count() > 0) wait = std::min(wait, static_cast<int>(pause.count()));
    AISPM_TRY([[maybe_unused]] const int ran, loop_.run_once(wait));
    tidy();
    expire();
    refill();
  }
  drop_all();
  say(std::to_string(started_) + " started, " + std::to_string(taken_) + " taken, " +
      std::to_string(refused_) + " asked for in vain; median " + median(times_[0]) +
      " us to make one that executes, " + median(times_[1]) + " us one with an interpreter");
  return {};
}

void Keeper::accept_visitor() {
  UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection || visitors_.size() >= kMaxConnections) return;  // closed: they start cold
  const int fd = connection.get();
  if (!loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t) { answer(fd); })) return;
  visitors_[fd] = Visitor{std::move(connection), PoolClock::now()};
}

void Keeper::answer(int connection) {
  loop_.remove(connection);
  auto node = visitors_.extract(connection);
  UniqueFd fd = std::move(node.mapped().connection);
  auto request = receive_message(fd.get(), 0);
  if (!request) return;
  auto served = serve(fd.get(), request->message, fd);
  ++(served ? taken_ : refused_);
  if (!served)
    (void)send_message(connection, failed_message(served.error(), kExitSandbox)).has_value();
}

Result<> Keeper::serve(int connection, const ControlMessage& request, UniqueFd& kept) {
  if (request.kind != ControlKind::kTake) return fail(Errc::kInvalid, "not a request");
  AISPM_TRY(const Caller caller, identify_peer(connection));
  if (::geteuid() != 0 && caller.uid != ::geteuid())
    return fail(Errc::kDenied, "this pool is another user's");
  AISPM_TRY(const Want want, decode_want(request.text));
  AISPM_TRY(Kind* const kind, kind_for(PoolKey{caller, want}));
  kind->asked = PoolClock::now();
  for (auto at = kind->entries.begin(); at != kind->entries.end(); ++at) {
    if (!(*at)->is_ready()) continue;
    std::unique_ptr<Entry> entry = std::move(*at);
    kind->entries.erase(at);
    loop_.remove(entry->fd());
    if (!entry->is_current()) {
      entry->kill();
      leaving_.push_back({std::move(entry), UniqueFd()});
      return fail(Errc::kUnavailable, "the interpreter was replaced");
    }
    AISPM_CHECK(entry->hand_over(connection));
    // The taker's end: all of its sandbox ends, whatever else it still held.
    leaving_.push_back({std::move(entry), std::move(kept)});
    const auto gone = std::prev(leaving_.end());
    const int fd = gone->connection.get();
    next_start_ = std::max(next_start_, PoolClock::now() + settings_.pause);
    return loop_.add(fd, EPOLLIN, [this, gone, fd](std::uint32_t) {
      loop_.remove(fd);
      gone->entry->kill();
      gone->connection.reset();
    });
  }
  if (!kind->problem.empty()) return fail(Errc::kUnavailable, kind->problem);
  return fail(Errc::kUnavailable, "none waits now; they are being made");
}

Result<Keeper::Kind*> Keeper::kind_for(const PoolKey& key) {
  if (const auto found = kinds_.find(key); found != kinds_.end()) return &found->second;
  AISPM_CHECK(check_interpreter(host_, key.want.interpreter));
  Kind kind;
  AISPM_TRY(kind.base, make_base(host_, key.want));
  if (fingerprint_of(kind.base) != key.want.fingerprint)
    return fail(Errc::kUnavailable, "the pool is of another version or sees another host");
  if (kinds_.size() >= kMaxKinds) {
    const auto oldest = std::min_element(
        kinds_.begin(), kinds_.end(),
        [](const auto& a, const auto& b) { return a.second.asked < b.second.asked; });
    while (!oldest->second.entries.empty())
      drop(oldest->second, oldest->second.entries.front().get());
    kinds_.erase(oldest);
  }
  return &kinds_.emplace(key, std::move(kind)).first->second;
}

std::size_t Keeper::waiting() const {
  std::size_t count = 0;
  for (const auto& [key, kind] : kinds_) count += kind.entries.size();
  return count;
}

bool Keeper::is_building() const {
  for (const auto& [key, kind] : kinds_)
    for (const auto& entry : kind.entries)
      if (!entry->is_ready()) return true;
  return false;
}

// One at a time: agents that run are not to feel it.
void Keeper::refill() {
  if (PoolClock::now() < next_start_ || is_building()) return;
  const PoolKey* neediest = nullptr;
  Kind* chosen = nullptr;
  for (auto& [key, kind] : kinds_) {
    if (kind.failures >= kMaxFailures || kind.entries.size() >= settings_.entries) continue;
    if (chosen != nullptr &&
        (kind.entries.size() > chosen->entries.size() ||
         (kind.entries.size() == chosen->entries.size() && kind.asked <= chosen->asked)))
      continue;
    neediest = &key;
    chosen = &kind;
  }
  if (chosen == nullptr) return;
  make_room();
  start_one(*neediest, *chosen);
  next_start_ = PoolClock::now() + settings_.pause;
}

void Keeper::start_one(const PoolKey& key, Kind& kind) {
  auto entry = Entry::start(key, kind.base, library_, runner_, ++started_, signal_mask_);
  if (entry) {
    Entry* const raw = entry->get();
    if (started_ == 1) (void)sweep_groups(raw->group_parents());  // of a pool that was killed
    auto watched =
        loop_.add(raw->fd(), EPOLLIN, [this, key, raw](std::uint32_t) { advance(key, raw); });
    if (watched) {
      kind.entries.push_back(std::move(*entry));
      return;
    }
    kind.problem = watched.error().message;
  } else {
    kind.problem = entry.error().message;
  }
  if (++kind.failures == kMaxFailures)
    say("profile " + key.want.profile + ", user " + std::to_string(key.caller.uid) + ": " +
        kind.problem);
}

void Keeper::advance(const PoolKey& key, Entry* entry) {
  const auto found = kinds_.find(key);
  if (found == kinds_.end()) return;
  Kind& kind = found->second;
  auto advanced = entry->advance();
  if (advanced) {
    if (entry->is_ready()) {
      kind.failures = 0;
      kind.problem.clear();
      auto& times = times_[key.want.interpreter.empty() ? 0 : 1];
      if (times.size() < kMaxTimes) times.push_back(entry->build_time());
    }
    return;
  }
  if (!entry->is_ready()) {
    kind.problem = "a sandbox could not be made: " + advanced.error().message;
    if (++kind.failures == kMaxFailures)
      say("profile " + key.want.profile + ", user " + std::to_string(key.caller.uid) + ": " +
          kind.problem);
  }
  drop(kind, entry);
}

void Keeper::drop(Kind& kind, Entry* entry) {
  const auto at = std::find_if(kind.entries.begin(), kind.entries.end(),
                               [&](const auto& one) { return one.get() == entry; });
  if (at == kind.entries.end()) return;
  loop_.remove(entry->fd());
  entry->kill();
  leaving_.push_back({std::move(*at), UniqueFd()});
  kind.entries.erase(at);
}

void Keeper::drop_all() {
  for (auto& [key, kind] : kinds_) {
    kind.failures = 0;
    while (!kind.entries.empty()) drop(kind, kind.entries.front().get());
  }
}

// Whoever was asked for least recently gives one up.
void Keeper::make_room() {
  while (waiting() >= settings_.max_entries) {
    Kind* oldest = nullptr;
    for (auto& [key, kind] : kinds_)
      if (!kind.entries.empty() && (oldest == nullptr || kind.asked < oldest->asked))
        oldest = &kind;
    if (oldest == nullptr) return;
    drop(*oldest, oldest->entries.front().get());
  }
}

void Keeper::expire() {
  const auto now = PoolClock::now();
  for (auto at = kinds_.begin(); at != kinds_.end();) {
    Kind& kind = at->second;
    const bool is_idle = now - kind.asked > settings_.idle;
    std::vector<Entry*> old;
    for (const auto& entry : kind.entries)
      if (is_idle || now - entry->born() > settings_.max_age) old.push_back(entry.get());
    for (Entry* entry : old) drop(kind, entry);
    at = is_idle ? kinds_.erase(at) : std::next(at);
  }
  std::vector<int> silent;
  for (const auto& [fd, visitor] : visitors_)
    if (now - visitor.since > kVisitPatience) silent.push_back(fd);
  for (const int fd : silent) {
    loop_.remove(fd);
    visitors_.erase(fd);
  }
}

void Keeper::tidy() {
  std::erase_if(leaving_, [](Leaving& one) { return !one.connection && one.entry->try_tidy(); });
}

void Keeper::read_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo == SIGHUP)
      drop_all();
    else
      is_ending_ = true;
  }
}

}  // namespace aispm::sandbox
