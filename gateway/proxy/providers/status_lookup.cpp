// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/providers/status_lookup.hpp"

#include <algorithm>

#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/providers/upstream.hpp"
#include "gateway/proxy/providers/upstream_path.hpp"
#include "gateway/proxy/worker.hpp"
#include "sdk/core/codec/json_tree.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

constexpr std::size_t kMaxAnswerBytes = 256U << 10;
constexpr std::size_t kMaxDepth = 32;

}  // namespace

Result<std::unique_ptr<StatusLookup>> StatusLookup::open(StatusLookupConfig config) {
  std::unique_ptr<StatusLookup> lookup(new StatusLookup(std::move(config)));
  const std::string& url = lookup->config_.url;
  const auto scheme = url.find("://");
  const auto slash = scheme == std::string::npos ? scheme : url.find('/', scheme + 3);
  if (slash == std::string::npos || url.find(lookup->config_.mark) < slash ||
      url.find(lookup->config_.mark) == std::string::npos)
    return fail(Errc::kInvalid, "must be like https://host/path/" + lookup->config_.mark);
  ProviderConfig endpoint;
  endpoint.name = lookup->config_.name;
  endpoint.origin = url.substr(0, slash);
  endpoint.ca_file = lookup->config_.ca_file;
  endpoint.key = lookup->config_.key;
  endpoint.allow_private = lookup->config_.allow_private;
  lookup->path_ = url.substr(slash);
  AISPM_TRY(lookup->provider_, Provider::open(endpoint));
  return lookup;
}

std::string StatusLookup::path_of(std::string_view key) const {
  std::string path = path_;
  const std::string encoded = percent_encoded(key);
  for (auto at = path.find(config_.mark); at != std::string::npos;
       at = path.find(config_.mark, at + encoded.size()))
    path.replace(at, config_.mark.size(), encoded);
  return path;
}

std::optional<std::string> StatusLookup::known(std::string_view key, Time now) const {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(std::string(key));
  if (found == kept_.end() || now >= found->second.until) return std::nullopt;
  return found->second.status;
}

void StatusLookup::remember(std::string_view key, const std::string& status, Time now) {
  if (status.empty() && !config_.keeps_unknown) return;
  const std::lock_guard lock(mutex_);
  if (kept_.size() >= kMaxKept) kept_.clear();
  kept_.insert_or_assign(std::string(key), Kept{status, now + config_.cache});
}

Result<std::string> read_status(std::string_view answer, std::string_view field) {
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
    return fail(Errc::kInvalid, "its answer has no " + std::string(field));
  return std::string(tree[node].text);
}

namespace {

Task<std::string> look_up(Worker& worker, StatusLookup& lookup, std::string key) {
  std::string head = "GET " + lookup.path_of(key) + " HTTP/1.1\r\n";
  head.append(lookup.provider().request_lines())
      .append("accept: application/json\r\naccept-encoding: identity\r\n")
      .append("user-agent: aispm-gateway\r\nconnection: close\r\n\r\n");
  UpstreamPool pool;
  net::Stream* in_flight = nullptr;
  const auto limit = lookup.config().deadline;
  AISPM_CO_TRY(UpstreamReply reply,
               co_await ask_upstream(worker.context(), worker.watchdog(), lookup.provider(), pool,
                                     {.head = head, .body = {}, .method = "GET"},
                                     {.connect = limit, .silence = limit}, &in_flight));
  const Head answered = reply.head;
  if (answered.status == 404) co_return std::string();
  if (answered.status != 200)
    co_return fail(Errc::kUnavailable, "answered with status " + std::to_string(answered.status));
  reply.upstream->input.consume(answered.size_bytes);
  std::string spill;
  AISPM_CO_TRY(
      const WholeBody whole,
      co_await read_whole_body(*reply.upstream->stream, reply.upstream->input, answered.body,
                               answered.content_length, kMaxAnswerBytes, spill));
  AISPM_CO_TRY(std::string status, read_status(whole.bytes, lookup.config().status_field));
  if (status.empty()) co_return fail(Errc::kInvalid, "its answer says no status");
  co_return status;
}

}  // namespace

Task<std::string> ask_status(Worker& worker, StatusLookup& lookup, std::string key) {
  if (auto known = lookup.known(key, StatusLookup::Time::clock::now())) co_return std::move(*known);
  AISPM_CO_TRY(std::string status,
               co_await net::with_deadline(look_up(worker, lookup, key), lookup.config().deadline));
  lookup.remember(key, status, StatusLookup::Time::clock::now());
  co_return status;
}

}  // namespace aispm::gateway
