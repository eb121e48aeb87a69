// SPDX-License-Identifier: Apache-2.0
#include "sensor/enforce/host_resolvers.hpp"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "sdk/core/common/file.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxFileBytes = 64U << 10;
constexpr std::size_t kMaxServers = 16;  // of one file; the C library asks three

// "192.0.2.1", "fe80::1%eth0"
std::optional<std::string> host_of(std::string text) {
  text = text.substr(0, text.find('%'));
  Address address;
  address.is_v6 = text.find(':') != std::string::npos;
  if (::inet_pton(address.is_v6 ? AF_INET6 : AF_INET, text.c_str(), address.bytes.data()) != 1)
    return std::nullopt;
  return address.host_text();
}

std::set<std::string> parse_servers(const std::string& content) {
  std::set<std::string> servers;
  std::istringstream lines(content);
  for (std::string line; servers.size() < kMaxServers && std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key, server;
    if (!(words >> key >> server) || key != "nameserver") continue;
    if (const auto host = host_of(server)) servers.insert(*host);
  }
  return servers;
}

}  // namespace

HostResolvers::HostResolvers(std::vector<std::string> files) {
  for (std::string& path : files) files_.push_back({std::move(path), {}, 0, {}});
  struct stat facts {};
  if (::stat("/proc/self/ns/net", &facts) == 0) net_namespace_ = facts.st_ino;
}

void HostResolvers::look_at(File& file) {
  struct stat facts {};
  if (::stat(file.path.c_str(), &facts) != 0) {
    file.servers.clear();
    file.inode = 0;
    return;
  }
  if (facts.st_ino == file.inode && facts.st_mtim.tv_sec == file.modified.tv_sec &&
      facts.st_mtim.tv_nsec == file.modified.tv_nsec)
    return;
  file.inode = facts.st_ino;
  file.modified = facts.st_mtim;
  const auto content = read_file(file.path, kMaxFileBytes);
  file.servers = content ? parse_servers(*content) : std::set<std::string>();
}

bool HostResolvers::gave(const SeenName& name) {
  if (name.source != NameSource::kDns || !name.socket || name.net_namespace == 0 ||
      name.net_namespace != net_namespace_)
    return false;
  for (File& file : files_) look_at(file);
  const std::string server = name.socket->destination.host_text();
  if (std::ranges::all_of(files_, [](const File& file) { return file.servers.empty(); }))
    return server == "127.0.0.1" || server == "::1";
  return std::ranges::any_of(files_,
                             [&](const File& file) { return file.servers.contains(server); });
}

}  // namespace aispm::sensor
