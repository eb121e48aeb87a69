// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sandbox/apply/channel.hpp"
#include "sandbox/model/plan.hpp"
#include "sandbox/supervise/audit.hpp"
#include "sandbox/supervise/delivery.hpp"
#include "sandbox/supervise/denials.hpp"
#include "sandbox/supervise/dns.hpp"
#include "sandbox/supervise/dns_server.hpp"
#include "sandbox/supervise/event_json.hpp"
#include "sandbox/supervise/freeze_link.hpp"
#include "sandbox/supervise/names.hpp"
#include "sandbox/supervise/output.hpp"
#include "sandbox/supervise/quota_watch.hpp"
#include "sandbox/supervise/relay.hpp"
#include "sandbox/supervise/trap.hpp"

namespace aispm::sandbox {

// What the supervisor holds of a built sandbox.
struct Watched {
  pid_t init = -1;   // our child, or
  UniqueFd init_fd;  // pidfd of process 1 where it is not (a sandbox of the pool)
  UniqueFd control;  // to process 1
  UniqueFd monitor;  // packet socket of the agent's network
  UniqueFd dns4;
  UniqueFd dns6;
  UniqueFd dns_tcp;
  UniqueFd proxy;                // listener; none offline
  UniqueFd listener;             // seccomp
  UniqueFd signals;              // signalfd of the signals to forward
  std::unique_ptr<Audit> audit;  // none as an ordinary user, or where the host keeps audit off
  Output::Sources output;
  std::unique_ptr<QuotaWatch> quota;  // none without `limits.workspace`, or where nobody tells
  // The workspace has no room left. Empty without `limits.workspace`.
  std::function<bool()> is_workspace_full;
  // Processor time of the whole sandbox; nothing where no control group counts it.
  std::function<std::optional<std::chrono::microseconds>()> cpu_used;
  std::optional<GatewayLink> gateway;  // which says whether operators stopped this run
};

// How the program ended.
struct Outcome {
  unsigned exit_code = 0;
  unsigned signal = 0;
  // Limits that were reached. The first one ended the run if `ended_by_limit`.
  std::vector<std::string> limits;
  bool ended_by_limit = false;
  std::string full;  // what the limit "disk" means: "/tmp was full (64 MiB)", ...
  Output::Account output;
  std::vector<std::string> warnings;  // for stderr
};

// Watches one run from exec to its end: refuses and reports, relays, forwards signals, enforces the
// wall time.
class Supervisor {
 public:
  // `gateway_hosts`: names that the gateway speaks for itself.
  static Result<std::unique_ptr<Supervisor>> open(const Plan& plan, Watched watched,
                                                  Delivery& delivery, RunIdentity run,
                                                  std::vector<std::string> gateway_hosts,
                                                  Terminal terminal);
  // Returns when process 1 and with it all others have ended.
  Outcome run();
  // After run(): counts a limit that was found hit.
  void add_denial(Denial denial, std::uint64_t count = 1);
  void add_limit(const std::string& limit);
  static constexpr std::size_t kMaxWarnings = 64;  // about traps that could not be set
  // Hands over what is pending.
  void flush();
  std::uint64_t denials() const { return denials_.total(); }

 private:
  Supervisor(const Plan& plan, Watched watched, Delivery& delivery, RunIdentity run,
             EventLoop loop);
  Result<> watch_all(std::vector<std::string> gateway_hosts);
  Result<> watch_network(std::vector<std::string> gateway_hosts);
  void read_control();
  void handle_control(const ControlMessage& message);
  void read_signals();
  void read_packets();
  void read_dns(int socket, int family);
  std::vector<std::uint8_t> answer_query(std::span<const std::uint8_t> packet,
                                         const char* protocol);
  std::vector<std::uint8_t> answer_name(const DnsQuery& query);
  Result<std::vector<UniqueFd>> fresh_sockets(int family);
  void refuse_calls();
  void add_denials(std::vector<Denial> denials);
  void forward_signal(int number, bool to_group);
  void forward_key(int number);
  void on_stopped();
  void keep_wall_time();
  void keep_cpu_time();
  void note_full(std::uint64_t folders);
  void note_full(const std::string& folder, std::uint64_t bytes);
  void look_at_workspace(bool is_end);
  void end_by(const std::string& limit);
  std::string limit_behind(int signal) const;
  int wait_ms() const;
  void hear_freeze(const FreezeWord& word);
  void signal_all(int number);
  void kill_init();
  int await_init();
  void finish(Outcome& outcome);
  void finish_output(Outcome& outcome);

  const Plan& plan_;
  Watched watched_;
  Delivery& delivery_;
  RunIdentity run_;
  EventLoop loop_;
  NameTable names_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Trap> trap_;
  std::optional<FreezeLink> freezes_;
  bool is_frozen_ = false;
  std::unique_ptr<DnsTcp> dns_tcp_;
  std::unique_ptr<Output> output_;
  Denials denials_;
  std::optional<int> wait_status_;
  bool is_init_gone_ = false;
  std::string ended_by_;  // the limit that ended the run
  std::string full_;      // folders that were full
  bool is_workspace_full_ = false;
  bool is_asked_to_stop_ = false;  // SIGTSTP came from outside
  bool is_abandoned_ = false;      // nobody wants what is left of the output
  Denials::Clock::time_point cpu_look_ = Denials::Clock::time_point::max();
  Denials::Clock::time_point wall_deadline_ = Denials::Clock::time_point::max();
  std::vector<std::string> warnings_;
};

}  // namespace aispm::sandbox
