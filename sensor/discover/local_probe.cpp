// SPDX-License-Identifier: Apache-2.0
#include "sensor/discover/local_probe.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "sdk/core/common/unique_fd.hpp"
#include "sensor/classify/http_answer.hpp"

namespace aispm::sensor {
namespace {

using Clock = std::chrono::steady_clock;

bool wait_for(int socket, short events, Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  pollfd waited{socket, events, 0};
  return left.count() > 0 && ::poll(&waited, 1, static_cast<int>(left.count())) == 1;
}

UniqueFd connect_to(const std::string& address, std::uint16_t port, Clock::time_point deadline) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    size = sizeof(*v4);
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof(*v6);
  } else {
    return {};
  }
  UniqueFd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return {};
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    int error = errno;
    socklen_t length = sizeof(error);
    if (error != EINPROGRESS || !wait_for(socket.get(), POLLOUT, deadline) ||
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
      return {};
  }
  return socket;
}

std::string get(std::uint16_t port, const std::string& path) {
  const auto deadline = Clock::now() + kProbeLimit;
  const UniqueFd socket = connect_to("127.0.0.1", port, deadline);
  if (!socket) return "";
  const std::string request = "GET " + path +
                              " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                              "\r\nUser-Agent: aispm-sensord\r\nConnection: close\r\n\r\n";
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return "";
  std::string answer;
  char buffer[4096];
  while (answer.size() < kMaxProbeAnswerBytes && wait_for(socket.get(), POLLIN, deadline)) {
    const ssize_t got = ::recv(socket.get(), buffer, sizeof(buffer), 0);
    if (got <= 0) break;
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  return answer.starts_with("HTTP/1.") ? answer : "";
}

}  // namespace

bool can_reach(const std::string& address, std::uint16_t port) {
  return static_cast<bool>(connect_to(address, port, Clock::now() + kProbeLimit));
}

std::vector<EvidenceItem> ask_listener(std::uint16_t port, const Signatures& signatures) {
  std::set<std::string> paths = {"/"};
  std::set<std::string> names;
  for (const PortSignature& known : signatures.find_ports(port)) {
    if (!known.probe.empty() && paths.size() < kMaxProbePaths) paths.insert(known.probe);
    names.insert(known.signature->provider);
  }
  if (names.empty()) paths.insert("/v1/models");
  std::vector<EvidenceItem> evidence;
  for (const std::string& path : paths) {
    const std::string answer = get(port, path);
    const std::size_t end = answer.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const std::string_view head = std::string_view(answer).substr(0, end);
    const std::string_view body = std::string_view(answer).substr(end + 4);
    for (const HttpFingerprint& known : signatures.fingerprints())
      if (known.method == "GET" && known.path == path && fits(known, head, body))
        evidence.push_back(make_evidence("http_answer", "GET " + path, *known.signature));
  }
  return evidence;
}

}  // namespace aispm::sensor
