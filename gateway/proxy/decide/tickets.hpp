// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "gateway/net/io.hpp"
#include "gateway/proxy/decide/config_decide.hpp"
#include "gateway/proxy/providers/status_lookup.hpp"

namespace re2 {
class RE2;
}

namespace aispm::gateway {

class Worker;

// The system in which change tickets are kept. Any thread.
class TicketDesk {
 public:
  static constexpr std::size_t kMaxTicketBytes = 128;

  static Result<std::unique_ptr<TicketDesk>> open(const TicketConfig& config);
  ~TicketDesk();

  // kInvalid: not the form of a ticket.
  Result<> check_form(const std::string& ticket) const;
  bool allows(const std::string& status) const;

  StatusLookup& lookup() const { return *lookup_; }

 private:
  explicit TicketDesk(const TicketConfig& config);
  TicketConfig config_;
  std::unique_ptr<const re2::RE2> pattern_;
  std::unique_ptr<StatusLookup> lookup_;
};

// Looks a ticket up and says its status when it is one of those that allow; kDenied otherwise, and
// when the system does not answer.
net::Task<std::string> check_ticket(Worker& worker, TicketDesk& desk, std::string ticket);

}  // namespace aispm::gateway
