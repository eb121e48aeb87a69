// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/stubs/logging.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "gateway/collector/app.hpp"
#include "sdk/core/common/log.hpp"

namespace {

using namespace aispm;

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

constexpr const char* kFooter =
    "Examples:\n"
    "  aispm-collector bootstrap --config collector.yaml\n"
    "      makes keys and store, prints an admin token and an enrolment token as JSON\n"
    "  aispm-collector --config collector.yaml\n"
    "      serves until SIGTERM\n"
    "  aispm-collector token create --role viewer --config collector.yaml\n"
    "      prints a new API token\n";

int complain(const Error& error, int status) {
  std::fprintf(stderr, "aispm-collector: %s\n", error.message.c_str());
  return status;
}

int print(const Result<std::string>& text) {
  if (!text) return complain(text.error(), kExitFailed);
  std::printf("%s\n", text->c_str());
  return 0;
}

int serve(const collector::Config& config) {
  // Blocked before any thread exists, so that only wait_for_signal() takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const auto served = collector::run_collector(config, AISPM_VERSION);
  if (served) return 0;
  log::error("collector.failed", served.error());
  return complain(served.error(), kExitFailed);
}

int run(int argc, char** argv) {
  CLI::App app("Receives, stores and serves what AISPM's sensors, gateways and sandboxes report.",
               "aispm-collector");
  app.footer(kFooter);
  app.set_version_flag("--version", AISPM_VERSION);
  std::string config_path = "/etc/aispm/collector.yaml";
  bool is_check = false;
  app.add_option("--config", config_path, "Configuration file")->capture_default_str();
  app.add_flag("--check-config", is_check,
               "Read the configuration, say whether it is good, and end");
  app.fallthrough();
  const auto* const boot =
      app.add_subcommand("bootstrap", "Make CA, store and first tokens; print them as JSON");
  auto* const token = app.add_subcommand("token", "API tokens");
  token->require_subcommand(1);
  auto* const create = token->add_subcommand(
      "create", "Make an API token and print it; works while the collector runs or not");
  std::string role = "viewer";
  std::string note;
  create->add_option("--role", role, "What the token may do")
      ->check(CLI::IsMember({"viewer", "operator", "admin"}))
      ->capture_default_str();
  create->add_option("--note", note,
                     "For whom it is; nobody answers an approval for what that one asked for");
  std::vector<std::string> approves;
  create->add_option("--approves", approves,
                     "Roles in which the holder may answer approvals, e.g. finance_manager");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  const auto config = collector::load_config(config_path);
  if (!config) return complain(config.error(), kExitUsage);
  if (is_check) {
    std::printf("%s: good\n", config_path.c_str());
    return 0;
  }
  if (*boot) return print(collector::bootstrap(*config));
  if (*create)
    return print(collector::create_token(*config, *collector::parse_role(role), note, approves));
  return serve(*config);
}

}  // namespace

int main(int argc, char** argv) {
  log::set_program("collector");
  // protobuf would write a line for every event that is not UTF-8: such events are counted and
  // logged once a stream instead.
  google::protobuf::SetLogHandler(nullptr);
  try {
    return run(argc, argv);
  } catch (const std::exception& bug) {
    log::error("collector.bug", {{"what", bug.what()}});
    return kExitFailed;
  }
}
