// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/bpf_log.hpp"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <string_view>

#include "sdk/core/common/log.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxMessageBytes = 1U << 20;
constexpr std::size_t kKeptBytes = 400;

// libbpf has one process-wide callback without a context.
std::mutex last_warning_mutex;
std::string last_warning;
bool holds_verdict = false;

// The verifier says why a program is refused in the last lines of its log; libbpf's own warnings
// after it say less.
void keep_warning(std::string_view message) {
  constexpr std::string_view kLogEnd = "-- END PROG LOAD LOG --";
  const std::size_t end = message.find(kLogEnd);
  const bool is_verdict = end != std::string_view::npos;
  if (is_verdict) message = message.substr(0, end);
  const std::lock_guard lock(last_warning_mutex);
  if (holds_verdict && !is_verdict) return;
  holds_verdict = is_verdict;
  last_warning = message.substr(message.size() - std::min(message.size(), kKeptBytes));
}

int on_message(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  std::string message(kMaxMessageBytes, '\0');
  const int length = std::vsnprintf(message.data(), message.size(), format, arguments);
  message.resize(length > 0 ? std::min(static_cast<std::size_t>(length), message.size() - 1) : 0);
  while (!message.empty() && message.back() == '\n') message.pop_back();
  if (level == LIBBPF_WARN) keep_warning(message);
  log::debug("libbpf", {{"message", message}});
  return length;
}

}  // namespace

void capture_libbpf_messages() { ::libbpf_set_print(on_message); }

tl::unexpected<Error> fail_bpf(const std::string& what, int error) {
  const int system_errno = error < 0 ? -error : error;
  std::string message = what + ": " + std::strerror(system_errno);
  {
    const std::lock_guard lock(last_warning_mutex);
    if (!last_warning.empty()) message += "; libbpf: " + last_warning;
    last_warning.clear();
    holds_verdict = false;
  }
  const bool is_denied = system_errno == EPERM || system_errno == EACCES;
  return fail(is_denied ? Errc::kDenied : Errc::kUnsupported, std::move(message), system_errno);
}

}  // namespace aispm::sensor
