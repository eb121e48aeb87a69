// SPDX-License-Identifier: Apache-2.0
#include "sensor/app.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include "sdk/core/common/log.hpp"
#include "sdk/core/report/order_watcher.hpp"
#include "sensor/config.hpp"
#include "sensor/enforce/pins.hpp"
#include "sensor/own_memory.hpp"
#include "sensor/selftest/library_check.hpp"
#include "sensor/selftest/selftest.hpp"
#include "sensor/selftest/workload.hpp"
#include "sensor/version.hpp"
#include "sensor/watcher.hpp"

namespace aispm::sensor {
namespace {

constexpr int kWrongConfig = 2;

Result<Config> find_config(const Arguments& arguments) {
  const bool is_optional = !arguments.has_config && ::access(arguments.config.c_str(), F_OK) != 0;
  AISPM_TRY(Config config, is_optional ? Result<Config>(Config{}) : load_config(arguments.config));
  if (arguments.capture == "ebpf") config.capture = CaptureMode::kEbpf;
  if (arguments.capture == "proc") config.capture = CaptureMode::kProc;
  if (arguments.capture == "auto") config.capture = CaptureMode::kAuto;
  return config;
}

report::ReporterOptions reporter_options(const Config& config) {
  report::ReporterOptions options;
  options.component = "sensord";
  options.version = kVersion;
  options.collector = config.collector;
  options.state_folder = config.state_folder;
  options.enrolment_token = config.enrolment_token.expose();
  options.spool_cap_bytes = config.spool_cap_bytes;
  return options;
}

// The collector's orders, from its answer or from the disk, put in force by the watcher.
Result<std::unique_ptr<report::OrderWatcher>> follow_orders(const Config& config,
                                                            Watcher& watcher) {
  auto follower = std::make_shared<report::OrderWatcher*>(nullptr);
  watcher.on_orders_applied(
      [follower](std::uint64_t version, std::vector<KernelGuard::OrderState> states) {
        std::vector<report::OrderState> told;
        for (KernelGuard::OrderState& state : states)
          told.push_back({std::move(state.order_id), std::move(state.problem)});
        if (*follower != nullptr) (*follower)->acknowledge(version, std::move(told));
      });
  AISPM_TRY(auto orders, report::OrderWatcher::open(
                             reporter_options(config),
                             [&watcher](std::vector<model::Order> changed, std::uint64_t version) {
                               watcher.offer_orders(std::move(changed), version);
                             }));
  *follower = orders.get();  // before run(), which is what calls it
  return orders;
}

Result<std::unique_ptr<EventSink>> open_sink(const Config& config, bool prints_events) {
  if (prints_events) return make_stdout_sink();
  report::ReporterOptions options = reporter_options(config);
  AISPM_TRY(auto reporter, report::Reporter::open(std::move(options)));
  return make_reporter_sink(std::move(reporter));
}

// Ends the pipeline when SIGTERM or SIGINT comes. The signals must be blocked in every thread
// before.
class SignalWaiter {
 public:
  explicit SignalWaiter(Watcher& watcher)
      : thread_([&watcher] {
          const sigset_t signals = stop_signals();
          int signal = 0;
          if (::sigwait(&signals, &signal) == 0) watcher.stop();
        }) {}
  ~SignalWaiter() {
    // Also after a failure: the waiter ends by the signal it waits for.
    ::pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
  }

  static sigset_t stop_signals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    return signals;
  }
  static void block() {
    const sigset_t signals = stop_signals();
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
  }

 private:
  std::thread thread_;
};

Result<> watch(const Config& config, bool prints_events) {
  use_little_memory();
  SignalWaiter::block();
  CaptureOptions options;
  options.mode = config.capture;
  options.rings = config.rings;
  options.fingerprints = config.fingerprints;
  options.own_tgid = static_cast<std::uint32_t>(::getpid());
  options.plan_folder = config.state_folder + "/probe-plans";
  AISPM_TRY(auto sink, open_sink(config, prints_events));
  AISPM_TRY(auto capture, Capture::open(options));
  const bool has_collector = !prints_events && !config.enforce.is_off;
  AISPM_TRY(const auto watcher,
            Watcher::open(config, std::move(capture), std::move(sink), has_collector));
  std::unique_ptr<report::OrderWatcher> orders;
  if (has_collector) {
    AISPM_TRY(orders, follow_orders(config, *watcher));
  }
  std::unique_ptr<PoolProcess> pool;
  if (config.pool.is_on) {
    AISPM_TRY(pool, PoolProcess::start(config.pool));
  }
  const SignalWaiter waiter(*watcher);
  log::info("started",
            {{"version", kVersion}, {"collector", prints_events ? "stdout" : config.collector}});
  AISPM_CHECK(watcher->run());
  log::info("stopped");
  return {};
}

int remove_pins(const Config& config) {
  const auto removed =
      config.enforce.pins.empty() ? Result<std::size_t>(0) : Pins::remove_all(config.enforce.pins);
  if (!removed) {
    std::fprintf(stderr, "%s\n", removed.error().message.c_str());
    return 1;
  }
  std::printf("%s: %zu hooks removed, no rule is in force\n", config.enforce.pins.c_str(),
              *removed);
  return 0;
}

}  // namespace

int run_app(const Arguments& arguments) {
  log::set_program("sensord");
  try {
    if (!arguments.selftest_work.empty())
      return run_work(arguments.selftest_work, arguments.selftest_linger_ms);
    if (!arguments.selftest_library.empty()) return work_with_library(arguments.selftest_library);
    if (arguments.runs_selftest) return run_selftest();
    const auto config = find_config(arguments);
    if (!config) {
      std::fprintf(stderr, "%s\n", config.error().message.c_str());
      return kWrongConfig;
    }
    if (arguments.checks_config) {
      std::printf("%s: ok\n", arguments.config.c_str());
      return 0;
    }
    if (arguments.removes_pins) return remove_pins(*config);
    if (const auto done = watch(*config, arguments.prints_events); !done) {
      log::error("failed", done.error());
      return 1;
    }
    return 0;
  } catch (const std::exception& bug) {
    log::error("bug", {{"what", bug.what()}});
    return 1;
  }
}

}  // namespace aispm::sensor
