// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "gateway/net/io.hpp"
#include "gateway/proxy/decide/config_decide.hpp"
#include "gateway/proxy/providers/provider.hpp"

namespace re2 {
class RE2;
}

namespace aispm::gateway {

class Worker;

// The system in which change tickets are kept. Any thread.
class TicketDesk {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMaxKept = 4096;
  static constexpr std::size_t kMaxTicketBytes = 128;

  static Result<std::unique_ptr<TicketDesk>> open(const TicketConfig& config);
  ~TicketDesk();

  // kInvalid: not the form of a ticket.
  Result<> check_form(const std::string& ticket) const;
  bool allows(const std::string& status) const;

  // What was heard of a ticket less than `cache` ago.
  std::optional<std::string> known(const std::string& ticket, Time now) const;
  void remember(const std::string& ticket, const std::string& status, Time now);

  const TicketConfig& config() const { return config_; }
  const Provider& provider() const { return *provider_; }
  std::string path_of(const std::string& ticket) const;

 private:
  explicit TicketDesk(const TicketConfig& config);
  struct Kept {
    std::string status;
    Time until;
  };
  TicketConfig config_;
  std::unique_ptr<const re2::RE2> pattern_;
  std::string path_;  // with {ticket}
  std::shared_ptr<Provider> provider_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Kept> kept_;
};

// The status at `field` (parts split by dots) of a JSON answer. kInvalid: it is not there.
Result<std::string> read_ticket_status(std::string_view answer, const std::string& field);

// Looks a ticket up and says its status when it is one of those that allow; kDenied otherwise, and
// when the system does not answer.
net::Task<std::string> check_ticket(Worker& worker, TicketDesk& desk, std::string ticket);

}  // namespace aispm::gateway
