// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/host_facts.hpp"

#include <sys/utsname.h>

#include <sstream>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::report {
namespace {

constexpr std::size_t kMaxFactBytes = 64U << 10;

std::string read_fact(const std::string& path) {
  std::string text = read_file(path, kMaxFactBytes).value_or("");
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

std::string os_release_value(const std::string& content, const std::string& key) {
  std::istringstream lines(content);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key + "=")) continue;
    std::string value = line.substr(key.size() + 1);
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
        value.back() == value.front())
      value = value.substr(1, value.size() - 2);
    return value;
  }
  return "";
}

HostFacts read_host_facts() {
  HostFacts facts;
  utsname names{};
  if (::uname(&names) == 0) {
    facts.hostname = names.nodename;
    facts.kernel = names.release;
    facts.architecture = names.machine;
  }
  if (const std::string id = read_fact("/etc/machine-id"); !id.empty())
    facts.machine_id = sha256_hex("aispm machine id " + id);
  facts.os = os_release_value(read_fact("/etc/os-release"), "PRETTY_NAME");
  facts.boot_id = read_fact("/proc/sys/kernel/random/boot_id");
  return facts;
}

}  // namespace aispm::report
