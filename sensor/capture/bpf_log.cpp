// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/bpf_log.hpp"

#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <mutex>

#include "sdk/core/common/log.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxMessageBytes = 400;

// libbpf has one process-wide callback without a context.
std::mutex last_warning_mutex;
std::string last_warning;

int on_message(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  std::array<char, kMaxMessageBytes> text{};
  const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string message(text.data());
  while (!message.empty() && message.back() == '\n') message.pop_back();
  log::debug("libbpf", {{"message", message}});
  if (level == LIBBPF_WARN) {
    const std::lock_guard lock(last_warning_mutex);
    last_warning = std::move(message);
  }
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
  }
  const bool is_denied = system_errno == EPERM || system_errno == EACCES;
  return fail(is_denied ? Errc::kDenied : Errc::kUnsupported, std::move(message), system_errno);
}

}  // namespace aispm::sensor
