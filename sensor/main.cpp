// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "sensor/app.hpp"
#include "sensor/version.hpp"

int main(int argc, char** argv) {
  aispm::sensor::Arguments arguments;
  CLI::App app(
      "Sees which AI runs on this host: processes, listeners, connections and, inside TLS, calls "
      "of language models.\n"
      "Runs as root; without eBPF it falls back to polling /proc and says so.",
      "aispm-sensord");
  app.set_version_flag("--version", std::string("aispm-sensord ") + aispm::sensor::kVersion);
  const auto* config =
      app.add_option("--config", arguments.config, "Configuration file")->capture_default_str();
  app.add_flag("--check-config", arguments.checks_config,
               "Read the configuration, report what is wrong, end");
  app.add_flag("--stdout", arguments.prints_events,
               "Print events as JSON lines instead of sending them to the collector");
  app.add_flag(
      "--selftest", arguments.runs_selftest,
      "Make real events on this host, check that each is seen; print what is seen how, and "
      "every TLS library probed with its cost and verdict; exit 0 if all is seen");
  app.add_flag("--remove-pins", arguments.removes_pins,
               "End every block, quarantine and rule that a stopped sensor left in the kernel");
  // An empty group hides an option from --help.
  app.add_option("--selftest-work", arguments.selftest_work)
      ->check(CLI::IsMember({"all", "kill"}))
      ->group("");
  app.add_option("--selftest-library", arguments.selftest_library)->group("");
  app.add_option("--selftest-linger", arguments.selftest_linger_ms)
      ->check(CLI::Range(0, 10'000))
      ->group("");
  app.add_option("--capture", arguments.capture, "Override how to see: auto, ebpf or proc")
      ->check(CLI::IsMember({"auto", "ebpf", "proc"}));
  app.footer(
      "Examples:\n"
      "  aispm-sensord --selftest                              can this kernel do what the sensor "
      "needs?\n"
      "  aispm-sensord --stdout | grep llm_call                watch without a collector\n"
      "  aispm-sensord --config /etc/aispm/sensord.yaml        as the service does");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  arguments.has_config = config->count() > 0;
  return aispm::sensor::run_app(arguments);
}
