// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/tickets.hpp"

#include <re2/re2.h>

#include <algorithm>

namespace aispm::gateway {

using net::Task;

namespace {

// As part of a path: nothing in it may lead elsewhere.
bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

}  // namespace

Result<std::unique_ptr<TicketDesk>> TicketDesk::open(const TicketConfig& config) {
  std::unique_ptr<TicketDesk> desk(new TicketDesk(config));
  StatusLookupConfig lookup;
  lookup.name = "tickets";
  lookup.url = config.url;
  lookup.mark = "{ticket}";
  lookup.ca_file = config.ca_file;
  lookup.key = config.key;
  lookup.allow_private = config.allow_private;
  lookup.status_field = config.status_field;
  lookup.cache = config.cache;
  lookup.deadline = config.deadline;
  auto opened = StatusLookup::open(std::move(lookup));
  if (!opened) return fail(opened.error().code, "tickets.url: " + opened.error().message);
  desk->lookup_ = std::move(*opened);
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  desk->pattern_ = std::make_unique<const re2::RE2>(config.pattern, options);
  if (!desk->pattern_->ok())
    return fail(Errc::kInvalid, "tickets.pattern: " + desk->pattern_->error());
  return desk;
}

TicketDesk::TicketDesk(const TicketConfig& config) : config_(config) {}
TicketDesk::~TicketDesk() = default;

Result<> TicketDesk::check_form(const std::string& ticket) const {
  const bool is_form = !ticket.empty() && ticket.size() <= kMaxTicketBytes &&
                       std::all_of(ticket.begin(), ticket.end(), is_plain) &&
                       re2::RE2::FullMatch(ticket, *pattern_);
  if (!is_form) return fail(Errc::kInvalid, "not the form of a ticket here");
  return {};
}

bool TicketDesk::allows(const std::string& status) const {
  return std::find(config_.allowed.begin(), config_.allowed.end(), status) != config_.allowed.end();
}

Task<std::string> check_ticket(Worker& worker, TicketDesk& desk, std::string ticket) {
  if (ticket.empty())
    co_return fail(Errc::kDenied, "a ticket is needed; send it in the header x-aispm-ticket");
  if (auto form = desk.check_form(ticket); !form)
    co_return fail(Errc::kDenied, "the ticket is " + form.error().message);
  auto status = co_await ask_status(worker, desk.lookup(), ticket);
  if (!status) co_return fail(Errc::kDenied, "ticket system: " + status.error().message);
  if (status->empty()) co_return fail(Errc::kDenied, "ticket system: there is no ticket " + ticket);
  if (!desk.allows(*status))
    co_return fail(Errc::kDenied, "ticket " + ticket + " is `" + *status + "`");
  co_return std::move(*status);
}

}  // namespace aispm::gateway
