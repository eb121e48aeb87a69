// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/tamper_watch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <string_view>
#include <utility>

#include "sdk/core/common/file.hpp"

namespace aispm::sensor {
namespace {

constexpr std::chrono::seconds kCanaryInterval{30};
constexpr std::size_t kMaxProcFileBytes = 64U << 10;
constexpr std::string_view kDeleted = " (deleted)";

std::uint32_t find_tracer() {
  const auto status = read_file("/proc/self/status", kMaxProcFileBytes);
  constexpr std::string_view kKey = "TracerPid:";
  const std::size_t at = status ? status->find(kKey) : std::string::npos;
  if (at == std::string::npos) return 0;
  const std::size_t digits = status->find_first_of("0123456789", at);
  std::uint32_t pid = 0;
  if (digits != std::string::npos)
    std::from_chars(status->data() + digits, status->data() + status->size(), pid);
  return pid;
}

std::string link_target(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  return size > 0 ? std::string(target.data(), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

TamperWatch::TamperWatch(std::string preload) : preload_(std::move(preload)) {
  // What was there before us is the host's, not an attack on us.
  if (auto content = read_file(preload_, kMaxProcFileBytes)) preloaded_ = std::move(*content);
}

std::vector<model::Tamper> TamperWatch::look(bool expects_records) {
  std::vector<model::Tamper> found;
  check_tracer(found);
  check_executable(found);
  check_preload(found);
  if (expects_records) check_canary(found);
  return found;
}

void TamperWatch::check_tracer(std::vector<model::Tamper>& out) {
  const std::uint32_t tracer = find_tracer();
  if (tracer != 0 && tracer != tracer_)
    out.push_back({"ptrace", "aispm-sensord",
                   "traced by process " + std::to_string(tracer) + " (" +
                       link_target("/proc/" + std::to_string(tracer) + "/exe") + ")"});
  tracer_ = tracer;
}

void TamperWatch::check_executable(std::vector<model::Tamper>& out) {
  const std::string exe = link_target("/proc/self/exe");
  const bool is_deleted = exe.ends_with(kDeleted);
  if (is_deleted && !is_deleted_)
    out.push_back({"executable_deleted", exe.substr(0, exe.size() - kDeleted.size()),
                   "deleted or replaced while it runs; an upgrade does that too, and restarts it"});
  is_deleted_ = is_deleted;
}

void TamperWatch::check_preload(std::vector<model::Tamper>& out) {
  std::string content;
  if (auto read = read_file(preload_, kMaxProcFileBytes)) content = std::move(*read);
  if (content != preloaded_)
    out.push_back({"preload", preload_,
                   content.empty() ? "emptied or removed"
                                   : "now loads into every program: " + content.substr(0, 200)});
  preloaded_ = std::move(content);
}

void TamperWatch::check_canary(std::vector<model::Tamper>& out) {
  const auto now = Clock::now();
  if (canary_) {
    if (now - canary_sent_ < kCanaryLimit) return;
    if (!is_blind_)
      out.push_back({"probe_detached", "socket programs",
                     "a system call of the sensor's own was not seen: its kernel programs are gone "
                     "or their records are lost; restart aispm-sensord"});
    is_blind_ = true;
    canary_.reset();
  }
  if (now < next_canary_) return;
  next_canary_ = now + kCanaryInterval;
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (!socket || ::bind(socket.get(), generic, size) != 0 ||
      ::getsockname(socket.get(), generic, &size) != 0 || ::listen(socket.get(), 1) != 0)
    return;  // no loopback, or out of descriptors: not this watch's finding
  canary_ = ntohs(address.sin_port);
  canary_sent_ = now;
}

void TamperWatch::on_own_listen(std::uint16_t port) {
  if (canary_ != port) return;
  canary_.reset();
  is_blind_ = false;
}

}  // namespace aispm::sensor
