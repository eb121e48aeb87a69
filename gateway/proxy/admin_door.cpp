// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/admin_door.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "gateway/net/listen.hpp"
#include "gateway/proxy/header_policy.hpp"
#include "gateway/proxy/providers/admin_providers.hpp"
#include "sdk/core/codec/http1.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::gateway {
namespace {

constexpr int kBusyPauseMilliseconds = 100;

using codec::http1::BodyKind;
using codec::http1::Head;
using codec::http1::HeadParser;
using Clock = std::chrono::steady_clock;

// Adds what has arrived; false: nothing came by the deadline, or the peer is done.
bool receive(const UniqueFd& peer, std::string& buffer, Clock::time_point until) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  pollfd wait{.fd = peer.get(), .events = POLLIN, .revents = 0};
  if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) return false;
  std::array<char, 16U << 10> space;
  const ssize_t size = ::recv(peer.get(), space.data(), space.size(), MSG_DONTWAIT);
  if (size <= 0) return false;
  buffer.append(space.data(), static_cast<std::size_t>(size));
  return true;
}

struct Received {
  std::string bytes;
  std::string method;
  std::string target;
  std::string token;  // that it shows
  std::string body;
};

Result<Received> read_request(const UniqueFd& peer) {
  const auto until = Clock::now() + AdminDoor::kDeadline;
  Received received;
  HeadParser parser(HeadParser::Role::kRequest);
  std::optional<Head> head;
  while (!head) {
    if (!receive(peer, received.bytes, until))
      return fail(Errc::kDeadlineExceeded, "the request did not arrive");
    AISPM_TRY(head, parser.parse(received.bytes));
    if (!head && received.bytes.size() > AdminDoor::kMaxHeadBytes)
      return fail(Errc::kTooLarge, "the head is too long");
  }
  received.method = head->method;
  received.target = head->target;
  received.token = presented_key(*head);
  if (head->body == BodyKind::kNone) return received;
  if (head->body != BodyKind::kLength) return fail(Errc::kInvalid, "send a Content-Length");
  if (head->content_length > TenantConfig::kMaxRulesBytes)
    return fail(Errc::kTooLarge, "a tenant's rules may have 256 KiB");
  const std::size_t begin = head->size_bytes;
  const auto size = static_cast<std::size_t>(head->content_length);
  while (received.bytes.size() < begin + size)
    if (!receive(peer, received.bytes, until))
      return fail(Errc::kDeadlineExceeded, "the body did not arrive");
  received.body = received.bytes.substr(begin, size);
  return received;
}

// Pages are shown with nothing from elsewhere, and nobody keeps what only operators may see.
constexpr std::string_view kGuards =
    "\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\ncontent-security-policy: "
    "default-src 'none'; style-src 'unsafe-inline'";

void send(const UniqueFd& peer, const AdminReply& reply) {
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) +
                     (reply.status < 300 ? " OK" : " Refused") + "\r\ncontent-type: ";
  text.append(reply.type).append(kGuards);
  if (reply.status == 401) text += "\r\nwww-authenticate: Bearer";
  text.append("\r\ncontent-length: ")
      .append(std::to_string(reply.body.size()))
      .append("\r\nconnection: close\r\n\r\n")
      .append(reply.body);
  const timeval limit{.tv_sec = AdminDoor::kDeadline.count(), .tv_usec = 0};
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
      stop_(std::move(stop)) {
  // Several threads wait for one connection: whoever comes late must not wait in accept().
  (void)::fcntl(listener_.get(), F_SETFL, ::fcntl(listener_.get(), F_GETFL) | O_NONBLOCK);
  const unsigned count = path_.empty() ? kPortThreads : 1;
  for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { serve(); });
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
  for (std::thread& thread : threads_) thread.join();
  if (!path_.empty()) ::unlink(path_.c_str());
}

void AdminDoor::serve() {
  while (true) {
    std::array<pollfd, 2> waits{{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = listener_.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(waits.data(), waits.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return log::error("admin.closed", fail_errno("poll").value());
    }
    if (waits[0].revents != 0) return;
    if (waits[1].revents == 0) continue;
    const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (peer) {
      serve_one(peer);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      // Whoever waits stays in the backlog: look again later, not at once.
      log::warn("admin.busy", {{"reason", fail_errno("accept").value().message}});
      if (::poll(waits.data(), 1, kBusyPauseMilliseconds) > 0) return;
    }
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

void AdminDoor::serve_one(const UniqueFd& peer) {
  const bool is_port = path_.empty();
  Result<std::string> who = std::string();
  if (!is_port) who = identify(peer, {});
  Result<Received> received = fail(Errc::kDenied, "was not read");
  if (who) received = read_request(peer);
  if (who && !received) return send(peer, refuse_admin(400, received.error().message));
  if (is_port) who = identify(peer, received->token);
  if (!who) {
    desk_.note_refused();
    return send(peer, refuse_admin(is_port ? 401 : 403, who.error().message));
  }
  if (received->method != "GET" && services_.cannot_record())
    return send(peer, refuse_admin(503, "changes cannot be recorded at the moment"));
  const AdminRequest request{
      .method = received->method, .target = received->target, .body = received->body, .who = *who};
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
