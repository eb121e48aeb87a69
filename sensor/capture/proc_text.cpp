// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/proc_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace aispm::sensor {
namespace {

std::string_view next_line(std::string_view& text) {
  const std::size_t size = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return line;
}

std::string_view next_field(std::string_view& line) {
  const std::size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return line = {};
  line.remove_prefix(begin);
  const std::string_view field = line.substr(0, std::min(line.find_first_of(" \t"), line.size()));
  line.remove_prefix(field.size());
  return field;
}

template <typename T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// "0100007F:1F90": each 32-bit word of the address in this machine's byte order, the port as a
// number.
std::optional<Address> parse_address(std::string_view text, bool is_v6) {
  const std::size_t digits = is_v6 ? 32 : 8;
  if (text.size() != digits + 5 || text[digits] != ':') return std::nullopt;
  Address address;
  address.is_v6 = is_v6;
  for (std::size_t word = 0; word < digits / 8; ++word) {
    const auto value = parse_number<std::uint32_t>(text.substr(word * 8, 8), 16);
    if (!value) return std::nullopt;
    std::memcpy(address.bytes.data() + word * 4, &*value, 4);
  }
  const auto port = parse_number<std::uint16_t>(text.substr(digits + 1), 16);
  if (!port) return std::nullopt;
  address.port = *port;
  return address;
}

std::optional<ProcSocket> parse_socket(std::string_view line, bool is_v6) {
  next_field(line);  // "sl"
  const auto source = parse_address(next_field(line), is_v6);
  const auto destination = parse_address(next_field(line), is_v6);
  const auto state = parse_number<std::uint32_t>(next_field(line), 16);
  for (int skipped = 0; skipped < 5; ++skipped)
    next_field(line);  // queues, timer, retransmits, uid, timeout
  const auto inode = parse_number<std::uint64_t>(next_field(line));
  if (!source || !destination || !state || !inode) return std::nullopt;
  return ProcSocket{{*source, *destination, 0}, *state, *inode};
}

}  // namespace

bool is_tls_library(std::string_view path) {
  const std::string_view name = path.substr(path.find_last_of('/') + 1);
  if (name.find(".so") == std::string_view::npos) return false;
  for (const std::string_view prefix : {"libssl", "libgnutls.", "libgnutls-", "libnspr4"})
    if (name.starts_with(prefix)) return true;
  return false;
}

std::vector<MappedFile> find_mapped_files(std::string_view maps) {
  std::vector<MappedFile> found;
  while (!maps.empty()) {
    // "7f..-7f.. r-xp 00026000 fe:00 326269    /usr/lib/libc.so.6 (deleted)"
    std::string_view line = next_line(maps);
    const std::string_view range = next_field(line);
    const std::string_view permissions = next_field(line);
    if (permissions.size() < 3 || permissions[2] != 'x') continue;
    next_field(line);  // offset
    const std::string_view device = next_field(line);
    const std::size_t colon = std::min(device.find(':'), device.size());
    const auto major = parse_number<std::uint32_t>(device.substr(0, colon), 16);
    const auto minor =
        parse_number<std::uint32_t>(device.substr(std::min(colon + 1, device.size())), 16);
    const auto inode = parse_number<std::uint64_t>(next_field(line));
    const std::size_t path_at = line.find('/');
    if (!major || !minor || !inode || *inode == 0 || path_at == std::string_view::npos) continue;
    std::string_view path = line.substr(path_at);
    constexpr std::string_view kDeleted = " (deleted)";
    if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
    found.push_back(
        {std::string(range), std::uint64_t{*major} << 32 | *minor, *inode, std::string(path)});
  }
  return found;
}

std::optional<ProcStat> parse_stat(std::string_view stat) {
  // The name is in parentheses and may hold anything, also ") "; nothing behind it can hold one.
  const std::size_t open = stat.find('(');
  const std::size_t close = stat.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return std::nullopt;
  std::string_view rest = stat.substr(close + 1);
  next_field(rest);  // state
  const auto parent = parse_number<std::uint32_t>(next_field(rest));
  constexpr int kFieldsUpToStart = 17;  // proc(5): pgrp (5) to itrealvalue (21)
  for (int skipped = 0; skipped < kFieldsUpToStart; ++skipped) next_field(rest);
  const auto start = parse_number<std::uint64_t>(next_field(rest));
  if (!parent || !start) return std::nullopt;
  return ProcStat{*parent, *start, std::string(stat.substr(open + 1, close - open - 1))};
}

std::optional<std::uint32_t> parse_uid(std::string_view status) {
  while (!status.empty()) {
    std::string_view line = next_line(status);
    if (next_field(line) == "Uid:") return parse_number<std::uint32_t>(next_field(line));
  }
  return std::nullopt;
}

std::optional<std::string> parse_cgroup(std::string_view cgroup) {
  while (!cgroup.empty()) {
    const std::string_view line = next_line(cgroup);
    if (line.starts_with("0::/")) return std::string(line.substr(3));
  }
  return std::nullopt;
}

std::vector<std::string> parse_cmdline(std::string_view cmdline) {
  std::vector<std::string> arguments;
  while (!cmdline.empty()) {
    const std::size_t size = std::min(cmdline.find('\0'), cmdline.size());
    arguments.emplace_back(cmdline.substr(0, size));
    cmdline.remove_prefix(std::min(size + 1, cmdline.size()));
  }
  return arguments;
}

std::vector<ProcSocket> parse_sockets(std::string_view table, bool is_v6) {
  std::vector<ProcSocket> sockets;
  next_line(table);  // headings
  while (!table.empty())
    if (const auto socket = parse_socket(next_line(table), is_v6)) sockets.push_back(*socket);
  return sockets;
}

std::optional<std::uint64_t> parse_socket_link(std::string_view link) {
  constexpr std::string_view kPrefix = "socket:[";
  if (!link.starts_with(kPrefix) || !link.ends_with(']')) return std::nullopt;
  return parse_number<std::uint64_t>(link.substr(kPrefix.size(), link.size() - kPrefix.size() - 1));
}

}  // namespace aispm::sensor
