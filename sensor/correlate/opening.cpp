// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/opening.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

// RFC 9113 section 3.4.
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t kMaxMethodBytes = 16;

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

bool is_request_line(std::string_view line) {
  const std::size_t method_end = line.find(' ');
  if (method_end == 0 || method_end > kMaxMethodBytes) return false;
  if (!std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(method_end), is_upper))
    return false;
  line.remove_prefix(method_end + 1);
  const std::size_t target_end = line.find(' ');
  if (target_end == 0 || target_end == std::string_view::npos) return false;
  const std::string_view version = line.substr(target_end + 1);
  return version == "HTTP/1.1" || version == "HTTP/1.0";
}

}  // namespace

Opening find_opening(std::string_view bytes) {
  if (bytes.empty()) return Opening::kNeedMore;
  const std::size_t size = std::min(bytes.size(), kHttp2Preface.size());
  if (bytes.substr(0, size) == kHttp2Preface.substr(0, size))
    return size == kHttp2Preface.size() ? Opening::kHttp2 : Opening::kNeedMore;
  return is_upper(bytes.front()) ? Opening::kHttp1 : Opening::kOther;
}

Opening find_midway_opening(std::string_view bytes) {
  if (bytes.starts_with(kHttp2Preface)) return Opening::kHttp2;
  const std::size_t line_end = bytes.find("\r\n");
  if (line_end == std::string_view::npos) return Opening::kOther;
  return is_request_line(bytes.substr(0, line_end)) ? Opening::kHttp1 : Opening::kOther;
}

}  // namespace aispm::sensor
