// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/tickets.hpp"

#include <re2/re2.h>

#include <algorithm>

#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/providers/upstream.hpp"
#include "gateway/proxy/worker.hpp"
#include "sdk/core/codec/json_tree.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

constexpr std::size_t kMaxAnswerBytes = 256U << 10;
constexpr std::size_t kMaxDepth = 32;
constexpr std::string_view kMark = "{ticket}";

// As part of a path: nothing in it may lead elsewhere.
bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

}  // namespace

Result<std::unique_ptr<TicketDesk>> TicketDesk::open(const TicketConfig& config) {
  std::unique_ptr<TicketDesk> desk(new TicketDesk(config));
  const auto scheme = config.url.find("://");
  const auto slash = scheme == std::string::npos ? scheme : config.url.find('/', scheme + 3);
  if (slash == std::string::npos || config.url.find(kMark) < slash)
    return fail(Errc::kInvalid, "tickets.url: must be like https://host/path/{ticket}");
  ProviderConfig endpoint;
  endpoint.name = "tickets";
  endpoint.origin = config.url.substr(0, slash);
  endpoint.ca_file = config.ca_file;
  endpoint.key = config.key;
  endpoint.allow_private = config.allow_private;
  desk->path_ = config.url.substr(slash);
  AISPM_TRY(desk->provider_, Provider::open(endpoint));
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

std::optional<std::string> TicketDesk::known(const std::string& ticket, Time now) const {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(ticket);
  if (found == kept_.end() || now >= found->second.until) return std::nullopt;
  return found->second.status;
}

void TicketDesk::remember(const std::string& ticket, const std::string& status, Time now) {
  const std::lock_guard lock(mutex_);
  if (kept_.size() >= kMaxKept) kept_.clear();
  kept_.insert_or_assign(ticket, Kept{status, now + config_.cache});
}

std::string TicketDesk::path_of(const std::string& ticket) const {
  std::string path = path_;
  for (auto at = path.find(kMark); at != std::string::npos; at = path.find(kMark, at + 1))
    path.replace(at, kMark.size(), ticket);
  return path;
}

Result<std::string> read_ticket_status(std::string_view answer, const std::string& field) {
  codec::JsonTree tree;
  AISPM_CHECK(tree.read(answer, kMaxDepth));
  std::size_t node = 0;
  std::string_view rest = field;
  while (!rest.empty()) {
    const auto dot = std::min(rest.find('.'), rest.size());
    node = tree.find(node, rest.substr(0, dot));
    if (node == codec::JsonTree::kNone) break;
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  if (node == codec::JsonTree::kNone || !tree[node].is_string())
    return fail(Errc::kInvalid, "its answer has no " + field);
  return std::string(tree[node].text);
}

namespace {

Task<std::string> look_up(Worker& worker, TicketDesk& desk, std::string ticket) {
  std::string head = "GET " + desk.path_of(ticket) + " HTTP/1.1\r\n";
  head.append(desk.provider().request_lines())
      .append("accept: application/json\r\naccept-encoding: identity\r\n")
      .append("user-agent: aispm-gateway\r\nconnection: close\r\n\r\n");
  UpstreamPool pool;
  net::Stream* in_flight = nullptr;
  const auto limit = desk.config().deadline;
  AISPM_CO_TRY(UpstreamReply reply,
               co_await ask_upstream(worker.context(), worker.watchdog(), desk.provider(), pool,
                                     {.head = head, .body = {}, .method = "GET"},
                                     {.connect = limit, .silence = limit}, &in_flight));
  const Head answered = reply.head;
  if (answered.status == 404) co_return fail(Errc::kDenied, "there is no ticket " + ticket);
  if (answered.status != 200)
    co_return fail(Errc::kUnavailable, "answered with status " + std::to_string(answered.status));
  reply.upstream->input.consume(answered.size_bytes);
  std::string spill;
  AISPM_CO_TRY(
      const WholeBody whole,
      co_await read_whole_body(*reply.upstream->stream, reply.upstream->input, answered.body,
                               answered.content_length, kMaxAnswerBytes, spill));
  co_return read_ticket_status(whole.bytes, desk.config().status_field);
}

}  // namespace

Task<std::string> check_ticket(Worker& worker, TicketDesk& desk, std::string ticket) {
  if (ticket.empty())
    co_return fail(Errc::kDenied, "a ticket is needed; send it in the header x-aispm-ticket");
  if (auto form = desk.check_form(ticket); !form)
    co_return fail(Errc::kDenied, "the ticket is " + form.error().message);
  auto status = desk.known(ticket, TicketDesk::Time::clock::now());
  if (!status) {
    auto heard = co_await net::with_deadline(look_up(worker, desk, ticket), desk.config().deadline);
    if (!heard) co_return fail(Errc::kDenied, "ticket system: " + heard.error().message);
    desk.remember(ticket, *heard, TicketDesk::Time::clock::now());
    status = std::move(*heard);
  }
  if (!desk.allows(*status))
    co_return fail(Errc::kDenied, "ticket " + ticket + " is `" + *status + "`");
  co_return std::move(*status);
}

}  // namespace aispm::gateway
