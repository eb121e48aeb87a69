// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/settings.hpp"

#include <algorithm>
#include <cstdlib>

#include "sdk/core/common/file.hpp"
#include "sdk/core/common/yaml.hpp"

namespace aispm::cli {
namespace {

constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::size_t kMaxCaBytes = 64U << 10;

struct File {
  std::string path;
  std::string collector;
  std::string ca_file;
  std::string token_file;
  std::string token;
};

Result<File> load_file(const std::string& path) {
  AISPM_TRY(const YamlMap root, YamlMap::load(path));
  File file;
  file.path = path;
  file.collector = root.text("collector", "");
  file.ca_file = root.text("ca_file", "");
  file.token_file = root.text("token_file", "");
  file.token = root.text("token", "");
  if (!file.token.empty() && !file.token_file.empty())
    root.reject("token", "give either token or token_file");
  AISPM_CHECK(root.finish());
  return file;
}

Result<File> find_file(const Flags& flags, const Environment& environment, bool needed) {
  std::string chosen = flags.config.empty() ? environment("AISPM_CLI_CONFIG") : flags.config;
  if (!chosen.empty()) return load_file(chosen);
  for (const std::string& path : config_files(environment)) {
    auto file = load_file(path);
    if (file) return file;
    if (file.error().code == Errc::kNotFound || !needed) continue;
    if (file.error().code == Errc::kDenied)
      return fail(Errc::kDenied,
                  file.error().message +
                      "; run as the user who owns it, or make ~/.config/aispm/cli.yaml "
                      "(collector, ca_file, token_file)");
    return file;
  }
  return File{};
}

Result<Secret> read_token(const std::string& path) {
  AISPM_TRY(std::string token, read_file(path, kMaxTokenBytes));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' '))
    token.pop_back();
  if (token.empty()) return fail(Errc::kInvalid, path + ": holds no token");
  return Secret(std::move(token));
}

Result<Secret> choose_token(const Flags& flags, const Environment& environment, const File& file) {
  if (!flags.token_file.empty()) return read_token(flags.token_file);
  if (std::string token = environment("AISPM_TOKEN"); !token.empty())
    return Secret(std::move(token));
  if (!file.token.empty()) return Secret(file.token);
  if (!file.token_file.empty()) return read_token(file.token_file);
  return Secret();
}

// gRPC writes a header it cannot send to the log, token and all, and ends the program.
bool is_sendable(const Secret& token) {
  return std::ranges::all_of(token.expose(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string first_of(const std::string& flag, const std::string& variable,
                     const std::string& file) {
  return !flag.empty() ? flag : !variable.empty() ? variable : file;
}

Error missing(const std::string& what, const std::string& flag, const std::string& variable,
              const std::string& key) {
  return {Errc::kInvalid,
          "no " + what + ": give " + flag + ", set " + variable + ", or write `" + key +
              ":` into ~/.config/aispm/cli.yaml (`./dev up` writes one into its state folder; set "
              "AISPM_CLI_CONFIG to it)",
          0};
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) {
    const char* const value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
}

std::vector<std::string> config_files(const Environment& environment) {
  std::vector<std::string> paths;
  const std::string home = environment("HOME");
  const std::string xdg = environment("XDG_CONFIG_HOME");
  if (!xdg.empty())
    paths.push_back(xdg + "/aispm/cli.yaml");
  else if (!home.empty())
    paths.push_back(home + "/.config/aispm/cli.yaml");
  paths.emplace_back("/etc/aispm/cli.yaml");
  const std::string state = environment("AISPM_STATE");
  paths.push_back((state.empty() ? "/var/lib/aispm" : state) + "/cli.yaml");
  return paths;
}

Result<Settings> resolve_settings(const Flags& flags, const Environment& environment) {
  const std::string collector = environment("AISPM_COLLECTOR");
  const std::string ca = environment("AISPM_CA_FILE");
  const bool needed = (flags.collector + collector).empty() || (flags.ca_file + ca).empty() ||
                      (flags.token_file + environment("AISPM_TOKEN")).empty();
  AISPM_TRY(const File file, find_file(flags, environment, needed));
  Settings settings;
  settings.collector = first_of(flags.collector, collector, file.collector);
  if (settings.collector.empty())
    return fail(missing("collector address", "--collector", "AISPM_COLLECTOR", "collector"));
  AISPM_TRY(settings.token, choose_token(flags, environment, file));
  if (settings.token.empty())
    return fail(missing("token", "--token-file", "AISPM_TOKEN", "token_file"));
  if (!is_sendable(settings.token))
    return fail(Errc::kInvalid,
                "the token has more than one line, or spaces or characters that no token has");
  const std::string ca_file = first_of(flags.ca_file, ca, file.ca_file);
  if (ca_file.empty())
    return fail(
        missing("CA certificate of the collector", "--ca-file", "AISPM_CA_FILE", "ca_file"));
  AISPM_TRY(settings.ca_pem, read_file(ca_file, kMaxCaBytes));
  return settings;
}

}  // namespace aispm::cli
