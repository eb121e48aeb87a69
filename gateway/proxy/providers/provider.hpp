// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/net/dial.hpp"
#include "gateway/proxy/config.hpp"
#include "gateway/proxy/observe/latency_histogram.hpp"
#include "sdk/core/common/published.hpp"

namespace aispm::gateway {

// An upstream ready for use. Immutable but for its state of health; any thread.
class Provider {
 public:
  static Result<std::shared_ptr<Provider>> open(const ProviderConfig& config);

  const ProviderConfig& config() const { return config_; }
  const net::Origin& origin() const { return origin_; }
  const std::shared_ptr<net::asio::ssl::context>& tls() const { return tls_; }
  // "openai", "anthropic"; "openai-compatible" when another host speaks the dialect: the event's
  // provider name.
  const std::string& event_name() const { return event_name_; }
  const std::string& authority() const { return authority_; }
  // Header lines every request to this provider carries: host and its credentials. The one place
  // where the key is read, but for Bedrock's signature.
  std::string_view request_lines() const { return lines_.expose(); }
  // Whether this is what `config` describes, down to its key and its certificates' file.
  bool is_as(const ProviderConfig& config) const;

  // Counted and shown in health.
  void note_failure(const std::string& why);
  void note_success() { failing_.store(false, std::memory_order_relaxed); }
  bool is_failing() const { return failing_.load(std::memory_order_relaxed); }
  std::string last_failure() const;
  // From asking it to the first byte of its reply.
  void note_latency(std::uint64_t microseconds) { first_bytes_.add(microseconds); }
  const SharedLatencyHistogram& first_bytes() const { return first_bytes_; }

 private:
  explicit Provider(const ProviderConfig& config) : config_(config) {}
  ProviderConfig config_;
  net::Origin origin_;
  std::shared_ptr<net::asio::ssl::context> tls_;
  std::string ca_digest_;
  std::string event_name_;
  std::string authority_;
  Secret lines_;
  std::atomic<bool> failing_{false};
  Published<const std::string> last_failure_;
  SharedLatencyHistogram first_bytes_;
};

// Which provider serves a request: the first whose `models` match, else the first of the dialect
// without `models`. Clients never choose hosts. Immutable.
class ProviderSet {
 public:
  // Providers of `before` that did not change are taken over, with their state of health; null:
  // none.
  static Result<ProviderSet> open(const std::vector<ProviderConfig>& configs,
                                  const ProviderSet* before = nullptr);
  // Null when no provider serves this model in this dialect. `index` identifies it within the set.
  Provider* choose(Dialect dialect, std::string_view model, std::size_t& index) const;
  const std::vector<std::shared_ptr<Provider>>& all() const { return providers_; }

 private:
  std::vector<std::shared_ptr<Provider>> providers_;
};

}  // namespace aispm::gateway
