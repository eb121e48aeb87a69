// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/gateway_link.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace aispm::sandbox {
namespace {

using Clock = std::chrono::steady_clock;

Result<> wait_for(int socket, short events, Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd wait{socket, events, 0};
  const int ready = left <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left));
  if (ready < 0 && errno != EINTR) return fail_errno("poll the gateway");
  if (ready == 0) return fail(Errc::kDeadlineExceeded, "the gateway did not answer in time");
  return {};
}

Result<> send_all(int socket, const std::string& bytes, Clock::time_point deadline) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t size =
        ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0) {
      sent += static_cast<std::size_t>(size);
    } else if (errno == EAGAIN || errno == EINTR) {
      AISPM_CHECK(wait_for(socket, POLLOUT, deadline));
    } else {
      return fail_errno("send to the gateway");
    }
  }
  return {};
}

bool equal_fold(const std::string& text, std::size_t at, const char* lower) {
  for (std::size_t i = 0; lower[i] != '\0'; ++i) {
    if (at + i >= text.size()) return false;
    const char c = text[at + i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != lower[i]) return false;
  }
  return true;
}

// Body size by the head's Content-Length; npos when it names none.
std::size_t announced_bytes(const std::string& head) {
  for (std::size_t line = head.find("\r\n"); line != std::string::npos;
       line = head.find("\r\n", line + 2))
    if (equal_fold(head, line + 2, "content-length:"))
      return static_cast<std::size_t>(std::strtoull(head.c_str() + line + 17, nullptr, 10));
  return std::string::npos;
}

bool is_whole(const std::string& bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::size_t size = announced_bytes(bytes.substr(0, end));
  return size != std::string::npos && bytes.size() - end - 4 >= size;
}

}  // namespace

Result<HttpReply> parse_reply(const std::string& bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string::npos || bytes.size() < 12 || !bytes.starts_with("HTTP/1.") ||
      bytes[8] != ' ')
    return fail(Errc::kInvalid, "the gateway's answer is not HTTP/1");
  HttpReply reply;
  for (std::size_t i = 9; i < 12; ++i) {
    if (bytes[i] < '0' || bytes[i] > '9')
      return fail(Errc::kInvalid, "the gateway's answer has no status");
    reply.status = reply.status * 10 + (bytes[i] - '0');
  }
  reply.body = bytes.substr(end + 4);
  const std::size_t size = announced_bytes(bytes.substr(0, end));
  if (size != std::string::npos) {
    if (reply.body.size() < size) return fail(Errc::kUnavailable, "the gateway's answer is cut");
    reply.body.resize(size);
  }
  return reply;
}

std::string find_json_text(const std::string& json, const std::string& field) {
  auto at = json.find("\"" + field + "\"");
  if (at == std::string::npos) return "";
  at = json.find_first_not_of(" \t\r\n", at + field.size() + 2);
  if (at == std::string::npos || json[at] != ':') return "";
  at = json.find_first_not_of(" \t\r\n", at + 1);
  if (at == std::string::npos || json[at] != '"') return "";
  const auto end = json.find('"', at + 1);
  if (end == std::string::npos) return "";
  const std::string value = json.substr(at + 1, end - at - 1);
  return value.find('\\') == std::string::npos ? value : "";
}

Result<UniqueFd> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return fail(Errc::kInvalid, path + ": a Unix socket's path has at most " +
                                    std::to_string(sizeof(address.sun_path) - 1) + " bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("socket");
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    return fail(Errc::kUnavailable,
                "the gateway at " + path + " cannot be reached: " + std::strerror(error), error);
  }
  return socket;
}

Result<UniqueFd> GatewayLink::begin(const std::string& method, const std::string& path) const {
  constexpr std::chrono::milliseconds kLimit{200};  // only the socket's own buffer takes it
  AISPM_TRY(UniqueFd socket, connect_unix(socket_path_));
  AISPM_CHECK(send_all(socket.get(),
                       proxy_header_ + method + " " + path +
                           " HTTP/1.1\r\nHost: aispm-gateway\r\nConnection: close\r\n\r\n",
                       Clock::now() + kLimit));
  return socket;
}

Result<std::string> GatewayLink::call(const std::string& method, const std::string& path,
                                      const std::string& body,
                                      std::chrono::milliseconds timeout) const {
  const auto deadline = Clock::now() + timeout;
  AISPM_TRY(const UniqueFd socket, connect_unix(socket_path_));
  std::string request = proxy_header_ + method + " " + path +
                        " HTTP/1.1\r\nHost: aispm-gateway\r\nConnection: close\r\n"
                        // It obeys sandbox.yaml: a gateway whose policy has one refuses others.
                        "X-Aispm-Run: sandbox-rules\r\n";
  if (method == "POST")
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  AISPM_CHECK(send_all(socket.get(), request + "\r\n" + body, deadline));
  std::string bytes;
  char buffer[4096];
  while (!is_whole(bytes)) {
    const ssize_t size = ::recv(socket.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    if (size == 0) break;
    if (size > 0) {
      bytes.append(buffer, static_cast<std::size_t>(size));
      if (bytes.size() > kMaxReplyBytes)
        return fail(Errc::kTooLarge, "the gateway's answer is larger than 128 KiB");
    } else if (errno == EAGAIN || errno == EINTR) {
      AISPM_CHECK(wait_for(socket.get(), POLLIN, deadline));
    } else {
      return fail_errno("read from the gateway");
    }
  }
  AISPM_TRY(HttpReply reply, parse_reply(bytes));
  if (reply.status != 200)
    return fail(reply.status >= 500 ? Errc::kUnavailable : Errc::kInvalid,
                "the gateway answered " + std::to_string(reply.status) + " to " + path + ": " +
                    reply.body.substr(0, 200));
  return std::move(reply.body);
}

}  // namespace aispm::sandbox
