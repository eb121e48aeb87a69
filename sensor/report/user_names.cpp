// SPDX-License-Identifier: Apache-2.0
#include "sensor/report/user_names.hpp"

#include <charconv>
#include <string_view>

#include "sdk/core/common/file.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxPasswdBytes = 16U << 20;
constexpr std::chrono::minutes kReadInterval{1};

}  // namespace

std::string UserNames::operator()(std::uint32_t uid) {
  if (const auto name = names_.find(uid); name != names_.end()) return name->second;
  if (std::chrono::steady_clock::now() - last_read_ >= kReadInterval) read();
  const auto name = names_.find(uid);
  return name != names_.end() ? name->second : std::to_string(uid);
}

void UserNames::read() {
  last_read_ = std::chrono::steady_clock::now();
  const auto text = read_file(path_, kMaxPasswdBytes);
  if (!text) return;
  names_.clear();
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t name_end = line.find(':');
    const std::size_t uid_begin =
        name_end == std::string_view::npos ? name_end : line.find(':', name_end + 1);
    if (uid_begin == std::string_view::npos) continue;
    const std::string_view digits =
        line.substr(uid_begin + 1, line.find(':', uid_begin + 1) - uid_begin - 1);
    std::uint32_t uid = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), uid);
    // The first line of a uid counts, as it does for ls(1).
    if (error == std::errc() && end == digits.data() + digits.size())
      names_.emplace(uid, line.substr(0, name_end));
  }
}

}  // namespace aispm::sensor
