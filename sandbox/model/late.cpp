// SPDX-License-Identifier: Apache-2.0
#include "sandbox/model/late.hpp"

#include <algorithm>
#include <cstring>

namespace aispm::sandbox {
namespace {

constexpr std::string_view kWantVersion = "aispm-pool 1";
constexpr std::size_t kWantLines = 5;  // and one for each variable
constexpr std::size_t kMaxVariables = 8;
constexpr std::size_t kMaxVariableBytes = 64;

void put_number(std::string& bytes, std::uint64_t value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}
void put_text(std::string& bytes, const std::string& text) {
  put_number(bytes, text.size());
  bytes += text;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    if (rest_.size() < sizeof(value)) {
      is_cut_ = true;
      rest_ = {};
      return 0;
    }
    std::memcpy(&value, rest_.data(), sizeof(value));
    rest_.remove_prefix(sizeof(value));
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      is_cut_ = true;
      rest_ = {};
      return "";
    }
    std::string result(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return result;
  }
  bool is_whole() const { return !is_cut_ && rest_.empty(); }
  bool is_cut() const { return is_cut_; }

 private:
  std::string_view rest_;
  bool is_cut_ = false;
};

bool is_plain(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

bool is_locale_variable(std::string_view pair) {
  return pair.size() <= kMaxVariableBytes &&
         (pair.starts_with("LANG=") || pair.starts_with("LC_")) && is_plain(pair, "_=.@-");
}

}  // namespace

Result<std::string> encode_enter(EnterHeader header, const std::string& folder,
                                 const std::string& executable, const std::string& script,
                                 const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& environment) {
  header.magic = kEnterMagic;
  header.text_offset = sizeof(header);
  header.arguments = static_cast<std::uint32_t>(arguments.size());
  header.variables = static_cast<std::uint32_t>(environment.size());
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  std::size_t texts = 3 + arguments.size() + environment.size();
  for (const auto* text : {&folder, &executable, &script}) bytes.append(*text).push_back('\0');
  for (const auto* list : {&arguments, &environment})
    for (const auto& text : *list) bytes.append(text).push_back('\0');
  if (bytes.size() > kMaxEnterBytes)
    return fail(Errc::kTooLarge, "arguments and environment have more than 8 MiB");
  const auto ends = std::count(bytes.begin() + sizeof(header), bytes.end(), '\0');
  if (static_cast<std::size_t>(ends) != texts)
    return fail(Errc::kInvalid, "an argument or variable has a NUL in it");
  return bytes;
}

std::string encode_mounts(const std::vector<Mount>& mounts) {
  std::string bytes;
  put_number(bytes, mounts.size());
  for (const auto& mount : mounts) {
    put_number(bytes, static_cast<std::uint64_t>(mount.kind));
    put_number(bytes, mount.bytes);
    put_number(bytes, mount.is_in_workspace ? 1 : 0);
    for (const auto* text : {&mount.target, &mount.source, &mount.content, &mount.owner_of})
      put_text(bytes, *text);
  }
  return bytes;
}

Result<std::vector<Mount>> decode_mounts(std::string_view bytes) {
  if (bytes.size() > kMaxLateMountBytes) return fail(Errc::kTooLarge, "mounts: more than 4 MiB");
  Reader reader(bytes);
  const std::uint64_t count = reader.number();
  if (count > kMaxLateMounts) return fail(Errc::kTooLarge, "mounts: more than 1024");
  std::vector<Mount> mounts;
  for (std::uint64_t i = 0; i < count && !reader.is_cut(); ++i) {
    const std::uint64_t kind = reader.number();
    if (kind > static_cast<std::uint64_t>(Mount::Kind::kHomeFile))
      return fail(Errc::kInvalid, "mounts: unknown kind");
    Mount mount{.kind = static_cast<Mount::Kind>(kind), .target = "", .source = "", .content = ""};
    mount.bytes = reader.number();
    mount.is_in_workspace = reader.number() != 0;
    for (auto* text : {&mount.target, &mount.source, &mount.content, &mount.owner_of})
      *text = reader.text();
    if (!mount.target.starts_with('/') || mount.target.size() < 2 ||
        (mount.target + "/").find("/../") != std::string::npos)
      return fail(Errc::kInvalid, "mounts: a target is no path in the sandbox");
    mounts.push_back(std::move(mount));
  }
  if (!reader.is_whole()) return fail(Errc::kInvalid, "mounts: cut or too long");
  return mounts;
}

Result<std::string> encode_want(const Want& want) {
  std::string text(kWantVersion);
  text += "\n" + want.profile + "\n" + want.interpreter + "\n" +
          (want.is_online ? "online" : "offline") + "\n" + want.fingerprint;
  for (const auto& pair : want.locale) text += "\n" + pair;
  if (text.size() > kMaxWantBytes)
    return fail(Errc::kTooLarge, "the interpreter's path is too long");
  AISPM_TRY(const Want same, decode_want(text));
  if (same != want) return fail(Errc::kInvalid, "cannot be said to the pool");
  return text;
}

Result<Want> decode_want(std::string_view text) {
  std::vector<std::string> lines;
  if (text.size() > kMaxWantBytes)
    return fail(Errc::kTooLarge, "a request of the pool is too long");
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t to = std::min(text.find('\n', from), text.size());
    lines.emplace_back(text.substr(from, to - from));
    from = to + 1;
  }
  if (lines[0] != kWantVersion || lines.size() < kWantLines ||
      lines.size() > kWantLines + kMaxVariables)
    return fail(Errc::kInvalid, "not a request of this version's pool");
  Want want;
  want.profile = lines[1];
  want.interpreter = lines[2];
  want.is_online = lines[3] == "online";
  want.fingerprint = lines[4];
  want.locale.assign(lines.begin() + kWantLines, lines.end());
  const bool is_path = want.interpreter.empty() ||
                       (want.interpreter.starts_with('/') && is_plain(want.interpreter, "/._-+"));
  if (want.profile.empty() || !is_plain(want.profile, "-_") || !is_path ||
      (!want.is_online && lines[3] != "offline") || want.fingerprint.size() != 64 ||
      !is_plain(want.fingerprint, "") ||
      !std::all_of(want.locale.begin(), want.locale.end(), is_locale_variable))
    return fail(Errc::kInvalid, "a request of the pool is wrong");
  return want;
}

}  // namespace aispm::sandbox
