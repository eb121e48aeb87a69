// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bpf/events.h"
#include "sdk/core/common/result.hpp"
#include "sensor/capture/agent_probes.hpp"
#include "sensor/capture/fingerprint_source.hpp"
#include "sensor/capture/kernel_features.hpp"
#include "sensor/capture/library_watcher.hpp"
#include "sensor/capture/proc_poller.hpp"
#include "sensor/capture/ring_reader.hpp"
#include "sensor/capture/socket_probes.hpp"
#include "sensor/capture/static_tls.hpp"
#include "sensor/capture/stdio_probes.hpp"
#include "sensor/capture/tracepoints.hpp"

namespace aispm::sensor {

enum class CaptureMode : std::uint8_t { kAuto, kEbpf, kProc };

struct CaptureOptions {
  CaptureMode mode =
      CaptureMode::kAuto;  // kEbpf fails where kAuto degrades; kProc never loads a program
  RingSizes rings;
  std::uint32_t own_tgid = 0;  // whose TLS is never captured
  std::chrono::milliseconds proc_interval{500};
  std::string fingerprints;  // folder of what stripped programs are known by; empty = built-in
  // Besides the built-in ones for symbols and fingerprints.
  std::vector<std::shared_ptr<const Planner>> planners;
  std::string plan_folder;  // where slow planners' answers are kept; empty = nowhere
  bool uses_mapping_events = true;
};

struct CaptureHealth {
  std::vector<std::string> reasons;             // why less is seen than could be, with what to do
  std::map<std::string, std::string> features;  // "process": "tp_btf", "tls": "uprobe", ...
  std::map<std::string, std::uint64_t> counters;
  std::array<aispm_loss, AISPM_LOSS_CAUSES> losses{};
};

// All ways of seeing this host, chosen once at the start: eBPF where it works, /proc polling for
// the rest. Lives on the pipeline thread; only wake() may be called from elsewhere.
class Capture {
 public:
  using OnBytes = RingReader::OnRecord;
  using OnRecord = std::function<void(Record)>;

  static Result<std::unique_ptr<Capture>> open(const CaptureOptions& options);

  // Waits until there may be something, at most `longest`.
  Result<> wait(std::chrono::milliseconds longest);
  // Hands over what there is, control records before plaintext: kernel records as bytes (valid
  // during the call), those made from /proc and about TLS libraries as values. Bounded, so call it
  // again. True when there may be more.
  Result<bool> drain(const OnBytes& on_control, const OnBytes& on_data, const OnRecord& on_record);
  // Hands over the control records that are there, without plaintext. Not from a callback of
  // drain().
  Result<> drain_control(const OnBytes& on_control);
  // wait() also ends when this can be read. Without eBPF it is not needed.
  Result<> watch(int fd);
  // A process was started: find its TLS libraries.
  void follow(std::uint32_t pid);
  // Finds more TLS in files from now on; replaces the planner of the same name.
  void set_planner(std::shared_ptr<const Planner> planner);
  // The process belongs to an agent; so will its children, and what they open is told.
  void follow_agent(const model::ProcessId& process, std::uint32_t agent);
  // File hooks cost every system call a little: wanted only while agents run.
  void watch_files(bool wanted);
  bool sees_sockets() const { return network_.has_value(); }
  // Periodic work: forgets dead processes' connections.
  void sweep();
  // Plain HTTP on this port is captured from now on: a model or MCP server listens there.
  void capture_port(std::uint16_t port);
  // A program that may be a server on stdin and stdout was found: reads it, and says who holds the
  // other ends.
  ProcessId follow_stdio(const StdioFound& found);
  void drop_stdio(std::uint32_t pid);
  CaptureHealth health() const;
  void wake() const;

  // Every file with TLS in it that is known by now.
  std::vector<ProbedLibrary> libraries() const;

  // For the self-test and the benchmark; null without TLS probes.
  const TlsProbes* tls_probes() const { return tls_ ? &*tls_ : nullptr; }

 private:
  Capture() = default;
  Result<> open_kernel(const CaptureOptions& options);
  void open_tls(const CaptureOptions& options);
  void open_static_tls(const CaptureOptions& options);
  void open_sockets();
  Result<> read_sockets(const OnBytes& on_control);
  Result<> wait_without_rings(std::chrono::milliseconds longest);

  KernelFeatures features_;
  std::vector<std::string> reasons_;
  std::map<std::string, std::string> methods_;
  std::optional<SharedMaps> maps_;
  std::optional<RingReader> rings_;
  std::optional<ProcessTracepoints> process_;
  std::optional<NetworkTracepoints> network_;
  std::optional<PacketProbes> packets_;
  std::optional<StdioProbes> stdio_;
  std::optional<TlsProbes> tls_;
  std::optional<AgentProbes> agents_;
  std::optional<StaticTls> static_tls_;
  std::optional<FingerprintSource> fingerprints_;
  std::unique_ptr<LibraryWatcher> libraries_;
  std::optional<ProcPoller> poller_;
  std::chrono::milliseconds proc_interval_{};
  std::chrono::steady_clock::time_point next_poll_;
  UniqueFd wake_;  // used without rings
  std::size_t connections_ = 0;
  std::uint64_t agents_refused_ = 0;
  bool scanned_ = false;
  std::chrono::steady_clock::time_point next_totals_;
};

}  // namespace aispm::sensor
