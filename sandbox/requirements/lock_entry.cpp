// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/lock_entry.hpp"

#include <algorithm>
#include <charconv>

#include "sandbox/model/sha256.hpp"
#include "sandbox/requirements/requirements.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::string_view kFirstLine = "aispm-requirements 1";
constexpr std::string_view kEnd = "end ";

tl::unexpected<Error> damaged() { return fail(Errc::kInvalid, "a lock entry is damaged"); }

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool read_number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_hash(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string lines_of(const std::vector<Package>& packages) {
  std::string text;
  for (const auto& package : packages)
    text += "package " + package.name + " " + package.version + " " + package.hash + " " +
            (package.url.empty() ? "-" : package.url) + "\n";
  return text;
}

}  // namespace

std::string to_text(const LockEntry& entry) {
  const std::string text = std::string(kFirstLine) + "\ntree " + entry.tree + " " +
                           std::to_string(entry.inode) + " " + std::to_string(entry.changed_ns) +
                           "\n" + lines_of(entry.packages);
  return text + std::string(kEnd) + sha256_hex(text) + "\n";
}

Result<LockEntry> parse_lock_entry(std::string_view text) {
  const auto lines = split(text, '\n');
  if (lines.size() < 3 || lines.size() > kMaxPackages + 3 || lines[0] != kFirstLine ||
      !lines.back().starts_with(kEnd) || !text.ends_with('\n'))
    return damaged();
  const auto body = text.substr(0, text.size() - lines.back().size() - 1);
  if (sha256_hex(body) != lines.back().substr(kEnd.size())) return damaged();
  LockEntry entry;
  const auto tree = split(lines[1], ' ');
  if (tree.size() != 4 || tree[0] != "tree" || !is_hash(tree[1]) ||
      !read_number(tree[2], entry.inode) || !read_number(tree[3], entry.changed_ns))
    return damaged();
  entry.tree = tree[1];
  for (std::size_t i = 2; i + 1 < lines.size(); ++i) {
    const auto words = split(lines[i], ' ');
    if (words.size() != 5 || words[0] != "package") return damaged();
    entry.packages.push_back({std::string(words[1]), std::string(words[2]), std::string(words[3]),
                              words[4] == "-" ? "" : std::string(words[4])});
  }
  return entry;
}

std::string name_tree(const std::string& environment, const std::vector<Package>& packages,
                      const std::string& manifest) {
  return sha256_hex(environment + "\n" + lines_of(packages) + sha256_hex(manifest));
}

}  // namespace aispm::sandbox
