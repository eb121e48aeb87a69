// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/limits/rate_limiter.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <span>
#include <unordered_map>

#include "gateway/proxy/limits/shards.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxName = 256;
constexpr std::chrono::minutes kLongestWindow{1};

std::string key_of(RateOf of, std::string_view tenant, std::string_view name,
                   std::string_view tool = {}) {
  std::string key(1, static_cast<char>('0' + static_cast<int>(of)));
  key.append(tenant.substr(0, kMaxName)).push_back('\0');
  key.append(name.substr(0, kMaxName)).push_back('\0');
  key.append(tool.substr(0, kMaxName));
  return key;
}

const Rate& rate_for(const RateRule& rule, std::string_view name) {
  for (const auto& [glob, rate] : rule.except)
    if (glob.matches(name)) return rate;
  return rule.rate;
}

long long seconds_up(std::chrono::milliseconds time) {
  return std::max<long long>(1, (time.count() + 999) / 1000);
}

}  // namespace

struct RateLimiter::Table {
  struct Entry {
    std::deque<Time> passed;  // oldest first
    Time last{};
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, Entry> entries;
  };
  std::array<Shard, kUseShards> shards;
};

// One limit that a request is of.
struct RateLimiter::Counted {
  RateOf of = RateOf::kUser;
  Rate rate;
  std::string key;
  std::size_t shard = 0;
  Table::Entry* entry = nullptr;  // null: new
};

RateLimiter::RateLimiter(RateConfig config)
    : config_(std::move(config)), table_(std::make_unique<Table>()) {}
RateLimiter::~RateLimiter() = default;

RateVerdict RateLimiter::take(const RateAsk& ask, Time now) { return judge(ask, now, true); }
RateVerdict RateLimiter::look(const RateAsk& ask, Time now) { return judge(ask, now, false); }

// The limits of one request, none or all of which it counts for. The parts of the table are locked.
struct RateLimiter::Request {
  Table& table;
  std::array<Counted, kRateKinds> all;
  std::size_t size = 0;

  std::span<Counted> counted() { return {all.data(), size}; }

  void add(const RateConfig& config, RateOf of, const RateAsk& ask, std::string_view name,
           std::string_view tool = {}) {
    const RateRule& rule = config.rules[static_cast<std::size_t>(of)];
    const Rate& rate = rate_for(rule, tool.empty() ? name : tool);
    if (rate.calls == 0) return;
    std::string key = key_of(of, ask.tenant, name, tool);
    const std::size_t shard = shard_of(key);
    all[size++] =
        Counted{.of = of, .rate = rate, .key = std::move(key), .shard = shard, .entry = nullptr};
  }

  // Finds what was counted so far, and of the limits the one that is nearest.
  RateVerdict look(Time now) {
    RateVerdict verdict;
    for (Counted& one : counted()) {
      auto& entries = table.shards[one.shard].entries;
      std::uint32_t used = 0;
      std::chrono::milliseconds reset = one.rate.window;
      if (const auto found = entries.find(one.key); found != entries.end()) {
        one.entry = &found->second;
        auto& passed = one.entry->passed;
        while (!passed.empty() && now - passed.front() >= one.rate.window) passed.pop_front();
        used = static_cast<std::uint32_t>(passed.size());
        if (!passed.empty())
          reset = std::chrono::ceil<std::chrono::milliseconds>(one.rate.window -
                                                               (now - passed.front()));
      }
      const std::uint32_t left = used >= one.rate.calls ? 0 : one.rate.calls - used;
      if (left == 0) verdict.passes = false;
      const bool is_nearer = !verdict.is_limited || left < verdict.remaining ||
                             (left == 0 && verdict.remaining == 0 && reset > verdict.reset);
      if (!is_nearer) continue;
      verdict = {.passes = verdict.passes,
                 .is_full = false,
                 .is_limited = true,
                 .of = one.of,
                 .limit = one.rate.calls,
                 .remaining = left,
                 .window = one.rate.window,
                 .reset = reset};
    }
    return verdict;
  }

  // A place for who is new. The one that was idle for longest goes, but none of this request's own.
  // False: all are in use, and none may be forgotten.
  bool make_place(Counted& one, std::size_t room, bool forgets, Time now,
                  std::atomic<std::uint64_t>& forgotten) {
    auto& entries = table.shards[one.shard].entries;
    if (entries.size() >= room) {
      auto oldest = entries.end();
      for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
        const bool is_own = std::ranges::any_of(
            counted(), [&](const Counted& other) { return other.entry == &entry->second; });
        if (!is_own && (oldest == entries.end() || entry->second.last < oldest->second.last))
          oldest = entry;
      }
      if (oldest == entries.end()) return false;
      const bool is_idle = now - oldest->second.last >= kLongestWindow;
      if (!is_idle && !forgets) return false;
      if (!is_idle) forgotten.fetch_add(1, std::memory_order_relaxed);
      entries.erase(oldest);
    }
    one.entry = &entries[one.key];
    return true;
  }

  void count(Time now) {
    for (Counted& one : counted()) {
      Table::Entry& entry = *one.entry;
      entry.last = std::max(entry.last, now);  // threads read their clocks before they come here
      entry.passed.push_back(entry.last);
    }
  }
};

RateVerdict RateLimiter::judge(const RateAsk& ask, Time now, bool counts) {
  Request request{.table = *table_, .all = {}};
  if (!ask.user.empty()) request.add(config_, RateOf::kUser, ask, ask.user);
  request.add(config_, RateOf::kAgent, ask, ask.agent);
  if (!ask.tool.empty()) request.add(config_, RateOf::kTool, ask, ask.agent, ask.tool);
  request.add(config_, RateOf::kTenant, ask, ask.tenant);
  ShardLocks<Table::Shard, kRateKinds> locks(table_->shards);
  for (const Counted& one : request.counted()) locks.want(one.shard);
  locks.lock();
  RateVerdict verdict = request.look(now);
  if (!counts) return verdict;
  const std::size_t room = std::max<std::size_t>(kRateKinds, config_.callers / kUseShards);
  for (Counted& one : request.counted()) {
    if (!verdict.passes) break;
    if (one.entry != nullptr || request.make_place(one, room, config_.forgets, now, forgotten_))
      continue;
    refused_full_.fetch_add(1, std::memory_order_relaxed);
    verdict.passes = false;
    verdict.is_full = true;
    verdict.reset = kLongestWindow;
  }
  if (!verdict.passes) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return verdict;
  }
  request.count(now);
  if (verdict.is_limited) --verdict.remaining;
  return verdict;
}

std::string rate_headers(const RateVerdict& verdict) {
  if (!verdict.is_limited) return {};
  const std::string seconds = std::to_string(seconds_up(verdict.reset));
  std::string lines;
  if (!verdict.passes) lines = "retry-after: " + seconds + "\r\n";
  lines += "x-ratelimit-limit: " + std::to_string(verdict.limit) +
           "\r\nx-ratelimit-remaining: " + std::to_string(verdict.remaining) +
           "\r\nx-ratelimit-reset: " + seconds + "\r\n";
  return lines;
}

std::string rule_of(const RateVerdict& verdict) {
  return "limits.rate." +
         (verdict.is_full ? std::string("callers") : std::string(name_of(verdict.of)));
}

std::string RateLimiter::describe(const RateVerdict& verdict) const {
  const std::string again = "; try again in " + std::to_string(seconds_up(verdict.reset)) + " s";
  if (verdict.is_full)
    return "more than " + std::to_string(config_.callers) +
           " callers are counted within a minute already (limits.rates.callers)" + again;
  return "this " + std::string(name_of(verdict.of)) + " may make " + std::to_string(verdict.limit) +
         (verdict.of == RateOf::kTool ? " calls" : " requests") + " within " +
         std::to_string(verdict.window.count() / 1000) + " s" + again;
}

}  // namespace aispm::gateway
