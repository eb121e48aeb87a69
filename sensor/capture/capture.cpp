// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/capture.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sdk/core/common/log.hpp"
#include "sensor/capture/bpf_log.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kControlBatch = 16384;  // records handed over before plaintext gets its turn
constexpr std::size_t kDataBatch = 4096;
constexpr std::size_t kMostBatches = 16;             // more than a full ring holds
constexpr std::chrono::seconds kTotalsInterval{60};  // of open connections
constexpr rlim_t kDescriptors = 65536;               // two for each probe

// Kernels before 5.11 charge BPF memory to this limit; every probe needs descriptors.
void raise_limits() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0) log::debug("limit.memlock", {{"errno", errno}});
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= kDescriptors) return;
  const rlim_t allowed = files.rlim_max;
  files.rlim_max = std::max(files.rlim_max, kDescriptors);
  files.rlim_cur = kDescriptors;
  if (::setrlimit(RLIMIT_NOFILE, &files) == 0) return;
  files.rlim_max = files.rlim_cur = allowed;  // without CAP_SYS_RESOURCE
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) log::warn("limit.descriptors", {{"errno", errno}});
}

}  // namespace

Result<std::unique_ptr<Capture>> Capture::open(const CaptureOptions& options) {
  capture_libbpf_messages();
  raise_limits();
  std::unique_ptr<Capture> capture(new Capture());
  capture->proc_interval_ = options.proc_interval;
  capture->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!capture->wake_) return fail_errno("eventfd");
  capture->methods_ = {{"process", "/proc polling"}, {"network", "/proc polling"}, {"tls", "no"}};
  capture->features_ = find_kernel_features();
  if (options.mode == CaptureMode::kProc) {
    capture->reasons_.push_back("configured `capture: proc`: /proc polling, no TLS plaintext");
  } else if (capture->features_.can_use_ebpf()) {
    AISPM_CHECK(capture->open_kernel(options));
  }
  if (options.mode != CaptureMode::kProc)
    for (std::string& reason : capture->features_.reasons())
      capture->reasons_.push_back(std::move(reason));
  if (options.mode == CaptureMode::kEbpf &&
      (!capture->process_ || !capture->network_ || !capture->tls_))
    return fail(Errc::kUnsupported, "`capture: ebpf` is configured but: " +
                                        (capture->reasons_.empty() ? std::string("unknown")
                                                                   : capture->reasons_.front()));
  const ProcPoller::Subjects missing{!capture->process_, !capture->network_};
  if (missing.processes || missing.sockets) capture->poller_.emplace(missing);
  return capture;
}

Result<> Capture::open_kernel(const CaptureOptions& options) {
  AISPM_TRY(maps_, SharedMaps::open(options.rings));
  AISPM_TRY(rings_, RingReader::open(*maps_));
  // Each part on its own: what one kernel refuses must not cost us the others.
  if (auto process = ProcessTracepoints::open(*maps_); process) {
    process_ = std::move(*process);
    methods_["process"] = "tp_btf";
  } else {
    reasons_.push_back(process.error().message + "; /proc polling instead");
  }
  open_sockets();
  if (auto agents = AgentProbes::open(*maps_, options.own_tgid); agents) {
    agents_ = std::move(*agents);
    methods_["agents"] = "tp_btf";
    methods_["files"] = "system call tracepoints while an agent runs";
  } else {
    reasons_.push_back(agents.error().message + "; agents' files and children are not followed");
  }
  if (features_.uprobes) open_tls(options);
  return {};
}

void Capture::open_sockets() {
  if (auto network = NetworkTracepoints::open(*maps_); network) {
    network_ = std::move(*network);
    methods_["network"] = "tp_btf";
  } else {
    reasons_.push_back(network.error().message + "; /proc polling instead");
  }
  methods_["names"] = "no";
  methods_["stdio"] = "no";
  if (network_) {
    if (auto packets = PacketProbes::open(*maps_, *network_); packets) {
      packets_ = std::move(*packets);
      methods_["names"] = "cgroup_skb";
    } else {
      reasons_.push_back(packets.error().message + "; no names, no plain HTTP, no UDP is seen");
    }
  }
  if (auto stdio = StdioProbes::open(*maps_); stdio) {
    stdio_ = std::move(*stdio);
    methods_["stdio"] = "sys_exit while a server runs";
  } else {
    reasons_.push_back(stdio.error().message + "; MCP over stdio is not seen");
  }
}

void Capture::open_tls(const CaptureOptions& options) {
  auto tls = TlsProbes::open(*maps_, features_, options.own_tgid);
  if (!tls) {
    reasons_.push_back(tls.error().message + "; no TLS plaintext");
    return;
  }
  tls_ = std::move(*tls);
  methods_["tls"] = "uprobe";
  methods_["tls_socket"] = tls_->socket_method();
  libraries_ = std::make_unique<LibraryWatcher>(
      *tls_, LibraryWatcher::Options{.cache_folder = options.plan_folder,
                                     .uses_mapping_events = options.uses_mapping_events});
  libraries_->set_planner(make_symbol_planner());
  open_static_tls(options);
  for (const auto& planner : options.planners) libraries_->set_planner(planner);
  libraries_->start();
}

void Capture::open_static_tls(const CaptureOptions& options) {
  auto programs = StaticTls::open(*maps_, features_, *tls_, options.own_tgid);
  if (!programs) {
    reasons_.push_back(programs.error().message + "; no plaintext of Go and rustls");
  } else {
    static_tls_ = std::move(*programs);
  }
  auto fingerprints = FingerprintSource::open(options.fingerprints);
  if (!fingerprints) {
    reasons_.push_back(fingerprints.error().message + "; no plaintext of stripped programs");
    return;
  }
  fingerprints_ = std::move(*fingerprints);
  methods_["tls_fingerprints"] = fingerprints_->version();
  libraries_->set_planner(fingerprints_->planner());
}

Result<> Capture::wait_without_rings(std::chrono::milliseconds longest) {
  pollfd waked{.fd = wake_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waked, 1, static_cast<int>(longest.count())) < 0 && errno != EINTR)
    return fail_errno("poll");
  std::uint64_t wakes = 0;
  if (::read(wake_.get(), &wakes, sizeof(wakes)) < 0 && errno != EAGAIN && errno != EINTR)
    return fail_errno("read the wake-up");
  return {};
}

Result<> Capture::wait(std::chrono::milliseconds longest) {
  if (poller_) {
    const auto until_poll =
        std::chrono::ceil<std::chrono::milliseconds>(next_poll_ - std::chrono::steady_clock::now());
    longest = std::clamp(until_poll, std::chrono::milliseconds(0), longest);
  }
  return rings_ ? rings_->wait(longest) : wait_without_rings(longest);
}

Result<> Capture::watch(int fd) { return rings_ ? rings_->watch(fd) : Result<>(); }

Result<> Capture::read_sockets(const OnBytes& on_control) {
  const auto now = std::chrono::steady_clock::now();
  if (!scanned_) {
    scanned_ = true;
    next_totals_ = now + kTotalsInterval;
    return network_->scan(on_control);
  }
  if (now < next_totals_) return {};
  next_totals_ = now + kTotalsInterval;
  return network_->report_open(on_control);
}

void Capture::capture_port(std::uint16_t port) {
  if (!packets_) return;
  if (const auto done = packets_->capture_port(port); !done)
    log::warn("plain.port", {{"port", port}, {"why", done.error().message}});
}

ProcessId Capture::follow_stdio(const StdioFound& found) {
  if (!stdio_) return {};
  if (const auto begun = stdio_->begin(); !begun)
    log::warn("stdio.begin", {{"why", begun.error().message}});
  return find_stdio_peer(found);
}

void Capture::drop_stdio(std::uint32_t pid) {
  if (stdio_) stdio_->drop(pid);
}

Result<bool> Capture::drain(const OnBytes& on_control, const OnBytes& on_data,
                            const OnRecord& on_record) {
  bool has_more = false;
  if (rings_) {
    if (network_)
      if (const auto read = read_sockets(on_control); !read)
        log::warn("sockets.read", {{"why", read.error().message}});
    AISPM_TRY(const std::size_t control, rings_->drain(Ring::kControl, kControlBatch, on_control));
    AISPM_TRY(const std::size_t data, rings_->drain(Ring::kData, kDataBatch, on_data));
    has_more = control >= kControlBatch || data >= kDataBatch;
  }
  if (libraries_)
    for (TlsLibraryFact& fact : libraries_->take_facts()) on_record(std::move(fact));
  if (poller_ && std::chrono::steady_clock::now() >= next_poll_) {
    poller_->poll(on_record);
    next_poll_ = std::chrono::steady_clock::now() + proc_interval_;
  }
  return has_more;
}

Result<> Capture::drain_control(const OnBytes& on_control) {
  if (!rings_) return {};
  for (std::size_t i = 0; i < kMostBatches; ++i) {
    AISPM_TRY(const std::size_t taken, rings_->drain(Ring::kControl, kControlBatch, on_control));
    if (taken < kControlBatch) return {};
  }
  return {};
}

void Capture::follow(std::uint32_t pid) {
  if (libraries_) libraries_->on_exec(pid);
}

void Capture::set_planner(std::shared_ptr<const Planner> planner) {
  if (libraries_) libraries_->set_planner(std::move(planner));
}

void Capture::sweep() {
  if (stdio_)
    if (const auto swept = stdio_->sweep(boot_now()); !swept)
      log::warn("stdio.sweep", {{"why", swept.error().message}});
  if (!tls_) return;
  if (fingerprints_)
    if (auto planner = fingerprints_->look()) {
      methods_["tls_fingerprints"] = fingerprints_->version();
      libraries_->set_planner(std::move(planner));
    }
  if (const auto living = tls_->sweep_connections(); living)
    connections_ = *living;
  else
    log::warn("tls.sweep", {{"why", living.error().message}});
}

void Capture::follow_agent(const model::ProcessId& process, std::uint32_t agent) {
  if (!agents_) return;
  if (const auto done = agents_->follow(process, agent); !done && agents_refused_++ == 0)
    log::warn("agents.not_followed", {{"why", done.error().message}});
}

void Capture::watch_files(bool wanted) {
  if (!agents_) return;
  if (const auto done = agents_->watch_files(wanted); !done) {
    reasons_.push_back(done.error().message + "; files of agents are not seen");
    methods_["files"] = "no";
    agents_.reset();
  }
}

std::vector<ProbedLibrary> Capture::libraries() const {
  return libraries_ ? libraries_->stats().files.libraries : std::vector<ProbedLibrary>();
}

CaptureHealth Capture::health() const {
  CaptureHealth health;
  health.reasons = reasons_;
  health.features = features_.texts();
  health.features.insert(methods_.begin(), methods_.end());
  if (fingerprints_ && !fingerprints_->why().empty())
    health.reasons.push_back(fingerprints_->why());
  if (maps_) {
    if (const auto losses = maps_->losses(); losses) health.losses = *losses;
    if (const auto counts = maps_->counts(); counts) {
      health.counters["tls.calls"] = (*counts)[AISPM_COUNT_TLS_CALLS];
      health.counters["tls.bytes"] = (*counts)[AISPM_COUNT_TLS_BYTES];
      health.counters["tls.nested_calls"] = (*counts)[AISPM_COUNT_TLS_NESTED];
    }
  }
  if (stdio_) health.counters["stdio.servers"] = stdio_->servers();
  if (libraries_) {
    const LibraryWatcher::Stats stats = libraries_->stats();
    health.counters["tls.libraries"] = static_cast<std::uint64_t>(
        std::count_if(stats.files.libraries.begin(), stats.files.libraries.end(),
                      [](const auto& library) { return library.error.empty(); }));
    health.counters["tls.files"] = stats.files.files;
    health.counters["tls.files_refused"] = stats.files.refused;
    health.counters["tls.files_pending"] = stats.files.pending;
    health.counters["tls.plans_from_disk"] = stats.files.cached;
    health.counters["tls.mappings"] = stats.mappings;
    health.counters["tls.mappings_lost"] = stats.mappings_lost;
    health.counters["tls.facts_lost"] = stats.facts_lost;
    health.counters["tls.scans"] = stats.processes_scanned;
    health.features["tls_libraries"] = stats.trigger;
    health.counters["tls.scans_refused"] = stats.scans_refused;
    health.counters["tls.connections"] = connections_;
    for (const auto& library : stats.files.libraries)
      if (library.is_failure)
        health.reasons.push_back("TLS of " + library.path + " is not seen: " + library.error);
  }
  return health;
}

void Capture::wake() const {
  if (rings_) return rings_->wake();
  const std::uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof(one)) < 0) return;  // a wake-up is pending already
}

}  // namespace aispm::sensor
