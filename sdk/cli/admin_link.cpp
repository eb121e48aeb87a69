// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/admin_link.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <boost/json.hpp>
#include <cstring>

#include "sdk/core/common/unique_fd.hpp"

namespace aispm::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxReplyBytes = 32U << 20;
constexpr timeval kSilence{.tv_sec = 120, .tv_usec = 0};  // compiling takes seconds

Result<UniqueFd> dial(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::kInvalid, path + ": longer than a socket path may be");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    if (::setsockopt(fd.get(), SOL_SOCKET, option, &kSilence, sizeof kSilence) != 0)
      return fail_errno("setsockopt");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(path + " (is `admin:` in gateway.yaml, and does the gateway run?)");
  return fd;
}

Result<std::string> talk(const UniqueFd& fd, std::string_view request) {
  while (!request.empty()) {
    const ssize_t size = ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (size <= 0) return fail_errno("send to the gateway");
    request.remove_prefix(static_cast<std::size_t>(size));
  }
  std::string reply;
  std::array<char, 16U << 10> space;
  while (reply.size() <= kMaxReplyBytes) {
    const ssize_t size = ::recv(fd.get(), space.data(), space.size(), 0);
    if (size < 0) return fail_errno("receive from the gateway");
    if (size == 0) return reply;
    reply.append(space.data(), static_cast<std::size_t>(size));
  }
  return fail(Errc::kTooLarge, "the gateway's reply is too long");
}

}  // namespace

// The gateway ends the connection behind its reply, so there is nothing to frame.
Result<json::object> ask_gateway(const std::string& socket, const std::string& method,
                                 const std::string& path, const std::string& body) {
  AISPM_TRY(const UniqueFd fd, dial(socket));
  AISPM_TRY(const std::string reply,
            talk(fd, method + " " + path + " HTTP/1.1\r\nhost: gateway\r\ncontent-length: " +
                         std::to_string(body.size()) + "\r\n\r\n" + body));
  const auto end = reply.find("\r\n\r\n");
  boost::system::error_code error;
  const json::value document =
      end == std::string::npos ? json::value() : json::parse(reply.substr(end + 4), error);
  const auto* object = document.if_object();
  if (!reply.starts_with("HTTP/1.1 ") || error || object == nullptr)
    return fail(Errc::kInternal, "the gateway's reply is none");
  if (reply.substr(9, 3) == "200") return *object;
  const auto* said = object->if_contains("error");
  const auto* message =
      said && said->is_object() ? said->get_object().if_contains("message") : nullptr;
  const std::string status = reply.substr(9, 3);
  return fail(status == "400"   ? Errc::kInvalid
              : status == "404" ? Errc::kNotFound
              : status == "403" ? Errc::kDenied
                                : Errc::kUnavailable,
              message && message->is_string() ? std::string(message->get_string())
                                              : "the gateway refused: " + status);
}

std::string text_of(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return {};
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

}  // namespace aispm::cli
