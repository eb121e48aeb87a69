// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/app.hpp"

#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <future>
#include <thread>

#include "gateway/net/listen.hpp"
#include "gateway/proxy/admin_door.hpp"
#include "gateway/proxy/fleet/feeds.hpp"
#include "gateway/proxy/health.hpp"
#include "gateway/proxy/observe/observatory.hpp"
#include "gateway/proxy/observe/operator_desk.hpp"
#include "gateway/proxy/observe/readiness.hpp"
#include "gateway/proxy/traffic/traffic.hpp"
#include "gateway/proxy/version.hpp"
#include "gateway/proxy/worker.hpp"
#include "sdk/core/common/hash_key.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/policy/policy_book.hpp"

namespace aispm::gateway {
namespace {

constexpr std::chrono::seconds kPollInterval{1};
constexpr int kPollsPerHealth = 5;
// For all that is no client and no provider: the spool, the collector, operators, DNS.
constexpr rlim_t kSpareDescriptors = 512;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "localhost";
}

// Clients must not be able to take the last descriptor: what else needs one (gRPC at a reconnect)
// ends the program without it. Each client may have a provider's connection.
void fit_connections(Limits& limits) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return log::warn("limit.files", {{"errno", errno}});
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0 || ::getrlimit(RLIMIT_NOFILE, &files) != 0)
    log::warn("limit.files", {{"errno", errno}});
  const rlim_t spare = std::min(kSpareDescriptors, files.rlim_cur / 2);
  const rlim_t fitting = std::max<rlim_t>(1, (files.rlim_cur - spare) / 2);
  if (limits.connections <= fitting) return;
  log::warn("limit.connections",
            {{"wanted", limits.connections}, {"taken", fitting}, {"files", files.rlim_cur}});
  limits.connections = fitting;
}

Result<std::unique_ptr<Services>> open_services(Config config) {
  AISPM_TRY(ProviderSet providers, ProviderSet::open(config.providers));
  std::vector<ProviderConfig> endpoints;
  for (const McpServerConfig& server : config.mcp.servers) endpoints.push_back(server.endpoint);
  AISPM_TRY(ProviderSet servers, ProviderSet::open(endpoints));
  auto services =
      std::make_unique<Services>(std::move(config), std::move(providers), std::move(servers));
  services->host_id = host_name();
  services->policies.store(std::make_shared<const policy::PolicyBook>());
  if (!services->config.keys_file.empty())
    AISPM_CHECK(services->keys.load_file(services->config.keys_file));
  AISPM_CHECK(services->bundles.reload());
  AISPM_CHECK(services->use.open(services->config.use));
  if (services->config.traffic.is_configured())
    services->traffic = std::make_shared<Traffic>(services->config.traffic);
  return services;
}

// What judges beside the rules, and the key that stands for values in records.
Result<> open_judges(Services& services) {
  // Without a state folder equal secrets are told apart until the next start.
  if (services.config.report) {
    AISPM_TRY(services.hash_key, load_hash_key(services.config.report->state_folder));
  } else {
    services.hash_key = Secret(make_uuid() + make_uuid());
  }
  const DetectConfig& detect = services.config.detect;
  if (!services.config.decide.tickets.url.empty()) {
    AISPM_TRY(services.tickets, TicketDesk::open(services.config.decide.tickets));
  }
  for (const VoterConfig& config : detect.voters) {
    AISPM_TRY(std::unique_ptr<Voter> voter, Voter::open(config));
    services.voters.push_back(std::move(voter));
  }
  if (!detect.opinions.model.empty()) {
    detect::SemanticJudge::Options options;
    options.workers = detect.opinions.workers;
    services.semantic = detect::SemanticJudge::open(detect.opinions.model, std::move(options));
  }
  return {};
}

Result<std::vector<std::unique_ptr<Worker>>> open_workers(Services& services) {
  const Config& config = services.config;
  std::vector<UniqueFd> tcp(config.workers);
  UniqueFd local;
  if (!config.listen.empty()) {
    AISPM_TRY(const net::Endpoint endpoint, net::parse_endpoint(config.listen));
    AISPM_TRY(tcp, net::listen_tcp(endpoint, config.workers));
    log::info("listening",
              {{"tcp", endpoint.address + ":" + std::to_string(net::local_port(tcp.front()))},
               {"workers", config.workers}});
  }
  if (!config.socket.empty()) {
    AISPM_TRY(local, net::listen_unix(config.socket));
    log::info("listening", {{"unix", config.socket}});
  }
  std::vector<std::unique_ptr<Worker>> workers;
  for (UniqueFd& socket : tcp) {
    UniqueFd shared(local ? ::dup(local.get()) : -1);
    AISPM_TRY(std::unique_ptr<Worker> worker,
              Worker::open(services, std::move(socket), std::move(shared)));
    workers.push_back(std::move(worker));
  }
  return workers;
}

// What looks at the gateway from threads of its own, for as long as it lives.
class Observing {
 public:
  static Result<std::unique_ptr<Observing>> begin(Services& services) {
    std::unique_ptr<Observing> observing(new Observing(services));
    Observatory& observatory = *services.observatory;
    if (!services.config.observe.otlp.origin.empty()) {
      AISPM_TRY(observatory.otlp,
                OtlpExporter::open(services.config.observe.otlp,
                                   {.host = services.host_id, .version = kVersion}));
    }
    observatory.probe =
        std::make_unique<DependencyProbe>([&services] { return find_suspects(services); });
    return observing;
  }
  ~Observing() {
    services_.observatory->probe.reset();
    services_.observatory->otlp.reset();  // delivers what is left
  }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  explicit Observing(Services& services) : services_(services) {}
  Services& services_;
};

// What reading packs and compiling them left behind goes back to the kernel; the C library keeps it
// otherwise, in the arena of a thread that has ended.
void release_loading_memory() { ::malloc_trim(0); }

// Large blocks get mappings of their own. The C library would raise that bound with each large
// block that is freed, and then put the compiled rules between what compiling them left: 24 MB that
// nobody could have back.
void keep_large_blocks_apart() {
  constexpr int kLargeBytes = 1 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kLargeBytes);
}

// Likewise what many large requests at once took, when they are over: the C library gives back only
// what lies at an arena's end. Nobody waits then, so that nobody waits for this.
class AfterBurst {
 public:
  explicit AfterBurst(std::span<const std::unique_ptr<Worker>> workers) : workers_(workers) {}

  // Gives back when nobody asked for anything since the last look, and many did before.
  void look() {
    std::uint64_t requests = 0;
    for (const auto& worker : workers_) requests += worker->counters().requests.get();
    const bool is_quiet = requests == seen_;
    seen_ = requests;
    if (is_quiet && requests - released_ >= kMany) {
      released_ = requests;
      ::malloc_trim(0);
    }
  }

 private:
  static constexpr std::uint64_t kMany = 256;  // fewer leave nothing that is worth it
  std::span<const std::unique_ptr<Worker>> workers_;
  std::uint64_t seen_ = 0;
  std::uint64_t released_ = 0;
};

// New rules and keys, or the old ones and the reason.
std::string reload(Services& services) {
  if (const auto loaded = services.reload(); !loaded) {
    log::error("reload.failed", loaded.error());
    return loaded.error().message;
  }
  release_loading_memory();
  const auto book = services.rules.current();
  log::info("reload.done", {{"policy", book->policy->version()},
                            {"detect", book->engine->version()},
                            {"keys", services.keys.size()}});
  return {};
}

// The first loading of rules, beside everything else: it takes seconds where nothing is cached.
class RuleLoader {
 public:
  explicit RuleLoader(Services& services)
      : loading_(std::async(std::launch::async, [&services] { return services.load_rules(); })) {}

  // Whether it has ended, within that time. The error of a loading that failed.
  Result<bool> ended_within(std::chrono::milliseconds time) {
    if (!loading_.valid()) return true;
    if (loading_.wait_for(time) != std::future_status::ready) return false;
    AISPM_CHECK(loading_.get());
    return true;
  }

 private:
  std::future<Result<>> loading_;  // its end waits for the thread
};

// Signals are taken synchronously by the main thread, so they interrupt nobody.
sigset_t block_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

void log_started(const Services& services) {
  const auto book = services.rules.current();
  log::info("started", {{"policy", book->policy->version()},
                        {"rules", book->engine->rules().size()},
                        {"keys", services.keys.size()}});
}

// The main thread between start and end: health, delivery counters, signals. The error of rules
// that could not be loaded at the start.
Result<> supervise(Services& services, std::span<const std::unique_ptr<Worker>> workers,
                   const OperatorDesk& desk, RuleLoader& loader, const sigset_t& signals) {
  std::string reload_error;
  int polls = 0;
  bool is_ready = false;
  bool must_reload = false;
  AfterBurst burst(workers);
  while (true) {
    if (!is_ready) {
      AISPM_TRY(is_ready, loader.ended_within(std::chrono::milliseconds(0)));
      if (is_ready) {
        release_loading_memory();
        log_started(services);
      }
    }
    const timespec wait{.tv_sec = kPollInterval.count(), .tv_nsec = 0};
    const int number = ::sigtimedwait(&signals, nullptr, &wait);
    if (number == SIGTERM || number == SIGINT) {
      log::info("stopping", {{"signal", number}});
      return {};
    }
    const auto every =
        std::chrono::duration_cast<std::chrono::seconds>(services.config.reload_every).count();
    must_reload = must_reload || number == SIGHUP || (every > 0 && (polls + 1) % every == 0);
    if (must_reload && is_ready) {
      reload_error = reload(services);
      services.observatory->set_reload_error(reload_error);
      must_reload = false;
    }
    services.recorder->poll();
    burst.look();
    services.use.save();
    services.observatory->note_moment([&desk] { return desk.moment(); },
                                      std::chrono::steady_clock::now());
    if (++polls % kPollsPerHealth == 0)
      services.recorder->offer(describe_health(services, workers, reload_error));
  }
}

}  // namespace

Result<> run_gateway(Config config) {
  keep_large_blocks_apart();
  const sigset_t signals = block_signals();
  fit_connections(config.limits);
  AISPM_TRY(const std::unique_ptr<Services> services, open_services(std::move(config)));
  AISPM_CHECK(open_judges(*services));
  RuleLoader loader(*services);
  AISPM_TRY(services->recorder, Recorder::open(services->config, services->keys));
  AISPM_TRY(services->approvals, Approvals::open(services->config));
  AISPM_TRY(const auto feeds, Feeds::open(*services));
  AISPM_TRY(const bool is_ready, loader.ended_within(services->config.wait_for_rules));
  if (!is_ready) log::warn("rules.not_ready", {{"requests", "refused with 503"}});
  AISPM_TRY(const auto workers, open_workers(*services));
  feeds->attach(workers);
  std::vector<std::thread> threads;
  AISPM_TRY(const auto observing, Observing::begin(*services));
  OperatorDesk desk(*services, workers);
  std::unique_ptr<AdminDoor> admin;
  std::unique_ptr<AdminDoor> admin_port;
  if (services->config.admin) {
    AISPM_TRY(admin, AdminDoor::open(*services, desk, services->config.admin->socket));
    if (const AdminPortConfig& port = services->config.admin->port; !port.listen.empty()) {
      AISPM_TRY(admin_port, AdminDoor::open_port(*services, desk, port));
    }
  }
  for (const auto& worker : workers) threads.emplace_back([&worker] { worker->run(); });
  services->recorder->offer(describe_health(*services, workers, ""));
  const Result<> supervised = supervise(*services, workers, desk, loader, signals);
  admin.reset();
  admin_port.reset();
  feeds->attach({});
  for (const auto& worker : workers) worker->stop();
  for (std::thread& thread : threads) thread.join();
  services->use.save();
  services->recorder->offer(describe_health(*services, workers, ""));
  services->approvals.reset();
  services->semantic.reset();  // its threads answer into the workers' loops
  services->recorder->flush();
  if (!services->config.socket.empty()) ::unlink(services->config.socket.c_str());
  log::info("stopped");
  return supervised;
}

Result<> check_gateway(Config config) {
  AISPM_TRY(const std::unique_ptr<Services> services, open_services(std::move(config)));
  return services->load_rules();
}

}  // namespace aispm::gateway
