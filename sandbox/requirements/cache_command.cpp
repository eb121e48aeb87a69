// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <ctime>
#include <iomanip>
#include <iostream>

#include "sandbox/requirements/prepare.hpp"

namespace aispm::sandbox {
namespace {

std::string day_of(std::uint64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if (::gmtime_r(&time, &parts) == nullptr) return "-";
  char text[32];
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts));
}

void print(const std::vector<Cache::Listed>& list) {
  std::cout << "TREE              MiB  PACKAGES  USED (UTC)        OWNER\n";
  std::uint64_t bytes = 0;
  for (const auto& one : list) {
    std::cout << one.tree.substr(0, 12) << std::setw(9) << ((one.bytes + (1U << 19U)) >> 20U)
              << std::setw(10) << one.packages << "  " << day_of(one.used_seconds) << "  "
              << one.owner << (one.is_used_now ? "  (in use)" : "") << "\n";
    bytes += one.bytes;
  }
  std::cout << list.size() << " trees, " << ((bytes + (1U << 19U)) >> 20U) << " MiB\n";
}

Result<int> perform(Cache& cache, const std::string& word, std::uint64_t limit_bytes) {
  if (word == "list") {
    AISPM_TRY(const auto all, cache.list());
    print(all);
    return 0;
  }
  if (word == "prune") {
    AISPM_TRY(const auto removed, cache.prune(limit_bytes));
    std::cout << "removed:\n";
    print(removed);
    return 0;
  }
  AISPM_TRY(const auto damaged, cache.check());
  for (const auto& tree : damaged)
    std::cout << "damaged, removed: " << tree.substr(0, 12) << " (made anew when it is needed)\n";
  if (damaged.empty()) std::cout << "all files are as they were put there\n";
  return damaged.empty() ? 0 : 1;
}

}  // namespace

int run_cache_command(const Host& host, int argc, char** argv) {
  CLI::App app("Packages that --requirements has resolved before", "aispm-run cache");
  app.require_subcommand(1);
  std::uint64_t limit_bytes = 4ULL << 30;
  app.add_subcommand("list", "What is kept: size, packages, last use, owner");
  app.add_subcommand("check", "Compare every file with what was put there; remove damaged sets");
  app.add_subcommand("prune", "Remove what was not used longest; never what is in use")
      ->add_option("--max-size", limit_bytes, "Keep at most this much, e.g. 1GiB (default 4GiB)")
      ->transform(CLI::AsSizeValue(false));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  auto cache = Cache::open(cache_folder(host) + "/requirements");
  auto code = cache ? perform(*cache, app.get_subcommands()[0]->get_name(), limit_bytes)
                    : Result<int>(fail(cache.error()));
  if (code) return *code;
  std::cerr << "aispm-run: " << code.error().message << "\n";
  return kExitSandbox;
}

}  // namespace aispm::sandbox
