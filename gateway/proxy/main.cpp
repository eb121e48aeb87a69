// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "gateway/proxy/app.hpp"
#include "gateway/proxy/version.hpp"
#include "sdk/core/common/log.hpp"

namespace {

constexpr int kBadConfig = 2;

constexpr char kDescription[] =
    "aispm-gateway stands between agents and language models: it authenticates each request, "
    "scans\n"
    "it and its reply, decides by policy, and records what happened.\n\n"
    "Serves clients of OpenAI (point OPENAI_BASE_URL at http://127.0.0.1:8088/v1), Anthropic\n"
    "(ANTHROPIC_BASE_URL at http://127.0.0.1:8088), Gemini (GOOGLE_GEMINI_BASE_URL, likewise) and\n"
    "Ollama (OLLAMA_HOST, likewise); use a key made by `aispm agent create-key`. /docs lists all\n"
    "paths; /live and /ready are for load balancers; metrics, guardrails and more stand at "
    "`admin:`.";

constexpr char kFooter[] =
    "\nExamples:\n"
    "  aispm-gateway                                     serve as /etc/aispm/gateway.yaml says\n"
    "  aispm-gateway --config my.yaml --check-config     load everything, say what is wrong, end\n"
    "  kill -HUP $(pidof aispm-gateway)                  load rules, keys and providers anew\n\n"
    "Exit status: 0 ended as asked, 1 could not start or serve, 2 bad usage or configuration.";

int complain(const aispm::Error& error, int status) {
  std::fprintf(stderr, "aispm-gateway: %s\n", error.message.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(kDescription, "aispm-gateway");
  std::string config_file = "/etc/aispm/gateway.yaml";
  bool check = false;
  app.add_option("--config", config_file, "configuration file")->capture_default_str();
  app.add_flag("--check-config", check, "load the configuration, policy, packs and keys, then end");
  app.set_version_flag("--version", std::string("aispm-gateway ") + aispm::gateway::kVersion);
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadConfig;
  }
  aispm::log::set_program("gateway");
  auto config = aispm::gateway::load_config(config_file);
  if (!config) return complain(config.error(), kBadConfig);
  if (check) {
    if (auto checked = aispm::gateway::check_gateway(std::move(*config)); !checked)
      return complain(checked.error(), kBadConfig);
    std::printf("%s: ok\n", config_file.c_str());
    return 0;
  }
  const auto ran = aispm::gateway::run_gateway(std::move(*config));
  if (ran) return 0;
  return complain(ran.error(), ran.error().code == aispm::Errc::kInvalid ? kBadConfig : 1);
}
