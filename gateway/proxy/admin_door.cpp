// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/admin_door.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "gateway/net/listen.hpp"
#include "gateway/proxy/providers/admin_providers.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::gateway {
namespace {

// Pages are shown with nothing from elsewhere, and nobody keeps what only operators may see.
constexpr std::string_view kGuards =
    "\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\ncontent-security-policy: "
    "default-src 'none'; style-src 'unsafe-inline'";

void send(const UniqueFd& peer, const AdminReply& reply) {
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) +
                     (reply.status < 300 ? " OK" : " Refused") + "\r\ncontent-type: ";
  text.append(reply.type).append(kGuards);
  if (reply.status == 401) text += "\r\nwww-authenticate: Bearer";
  if (!reply.allow.empty()) text.append("\r\nallow: ").append(reply.allow);
  text.append("\r\ncontent-length: ")
      .append(std::to_string(reply.body.size()))
      .append("\r\nconnection: close\r\n\r\n")
      .append(reply.body);
  const timeval limit{.tv_sec = AdminDoor::kSendLimit.count(), .tv_usec = 0};
  (void)::setsockopt(peer.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t size = ::send(peer.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (size <= 0) return;  // who asked has gone
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
}

}  // namespace

AdminDoor::AdminDoor(Services& services, OperatorDesk& desk, std::string path,
                     std::string token_hash, UniqueFd listener, UniqueFd stop)
    : services_(services),
      desk_(desk),
      path_(std::move(path)),
      token_hash_(std::move(token_hash)),
      listener_(std::move(listener)),
      stop_(std::move(stop)),
      callers_(listener_, stop_, AdminCallers::Bounds(), make_handlers()) {
  // Whoever left before accept() must not make it wait for the next.
  (void)::fcntl(listener_.get(), F_SETFL, ::fcntl(listener_.get(), F_GETFL) | O_NONBLOCK);
  const unsigned count = path_.empty() ? kPortThreads : 1;
  for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { serve_jobs(); });
  waiter_ = std::thread([this] { callers_.run(); });
}

Result<std::unique_ptr<AdminDoor>> AdminDoor::open(Services& services, OperatorDesk& desk,
                                                   const std::string& path) {
  AISPM_TRY(UniqueFd listener, net::listen_unix(path));
  if (::chmod(path.c_str(), 0600) != 0) return fail_errno("chmod " + path);
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return fail_errno("eventfd");
  log::info("listening", {{"admin", path}});
  return std::unique_ptr<AdminDoor>(
      new AdminDoor(services, desk, path, "", std::move(listener), std::move(stop)));
}

Result<std::unique_ptr<AdminDoor>> AdminDoor::open_port(Services& services, OperatorDesk& desk,
                                                        const AdminPortConfig& config) {
  AISPM_TRY(const net::Endpoint endpoint, net::parse_endpoint(config.listen));
  AISPM_TRY(std::vector<UniqueFd> listeners, net::listen_tcp(endpoint, 1));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return fail_errno("eventfd");
  log::info("listening", {{"admin", endpoint.address + ":" +
                                        std::to_string(net::local_port(listeners.front()))}});
  return std::unique_ptr<AdminDoor>(new AdminDoor(services, desk, "",
                                                  sha256_hex(config.token.expose()),
                                                  std::move(listeners.front()), std::move(stop)));
}

AdminDoor::~AdminDoor() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  waiter_.join();
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  for (const Job& job : jobs_) send(job.peer, refuse_admin(503, "the gateway is being stopped"));
  if (!path_.empty()) ::unlink(path_.c_str());
}

AdminCallers::Handlers AdminDoor::make_handlers() {
  AdminCallers::Handlers handlers;
  handlers.admit = [this](const UniqueFd& peer) {
    if (path_.empty()) return true;  // its token tells
    const auto who = identify(peer, {});
    if (!who) refuse(peer, who.error());
    return who.has_value();
  };
  handlers.serve = [this](UniqueFd peer, ArrivedRequest request) {
    take(std::move(peer), std::move(request));
  };
  handlers.refuse = [](const UniqueFd& peer, const Error& error) {
    send(peer, refuse_admin(error.code == Errc::kTooLarge ? 413 : 400, error.message));
  };
  handlers.note_crowded_out = [this] { desk_.note_crowded_out(); };
  return handlers;
}

void AdminDoor::refuse(const UniqueFd& peer, const Error& denied) {
  desk_.note_refused();
  send(peer, refuse_admin(path_.empty() ? 401 : 403, denied.message));
}

void AdminDoor::take(UniqueFd peer, ArrivedRequest request) {
  Result<std::string> who = identify(peer, request.token);
  if (!who) return refuse(peer, who.error());
  std::unique_lock lock(mutex_);
  if (jobs_.size() >= kMaxJobs) {
    lock.unlock();
    return send(peer, refuse_admin(503, "too many requests wait here"));
  }
  jobs_.push_back({.peer = std::move(peer), .request = std::move(request), .who = std::move(*who)});
  lock.unlock();
  changed_.notify_one();
}

void AdminDoor::serve_jobs() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return is_stopping_ || !jobs_.empty(); });
    if (is_stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    serve_one(job);
    lock.lock();
  }
}

Result<std::string> AdminDoor::identify(const UniqueFd& peer, std::string_view token) const {
  if (path_.empty()) {
    if (equal_in_constant_time(sha256_hex(token), token_hash_)) return std::string("admin token");
    return fail(Errc::kDenied, "this is not the token of `admin: token_file`");
  }
  const auto user = net::peer_user(peer.get());
  if (user && (user->uid == 0 || user->uid == ::geteuid()))
    return user->name + " (uid " + std::to_string(user->uid) + ")";
  log::warn("admin.refused", {{"uid", user ? user->uid : 0U}});
  return fail(Errc::kDenied, "this socket is for root and the gateway's own user");
}

void AdminDoor::serve_one(const Job& job) {
  const UniqueFd& peer = job.peer;
  if (job.request.method != "GET" && services_.cannot_record())
    return send(peer, refuse_admin(503, "changes cannot be recorded at the moment"));
  const AdminRequest request{.method = job.request.method,
                             .target = job.request.target,
                             .body = job.request.body,
                             .who = job.who};
  const AdminReply reply = request.target.starts_with(kAdminProviders)
                               ? serve_admin_providers(request, services_)
                               : desk_.serve(request);
  if (reply.done) {
    services_.sticky.clear();  // new rules may decide differently
    log::info(
        "admin.changed",
        {{"action", reply.done->action}, {"target", reply.done->target}, {"who", reply.done->who}});
    model::Event event;
    event.host_id = services_.host_id;
    event.source = model::Source::kGateway;
    event.body = *reply.done;
    services_.recorder->offer(std::move(event));
  }
  send(peer, reply);
}

}  // namespace aispm::gateway
