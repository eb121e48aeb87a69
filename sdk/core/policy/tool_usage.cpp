// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_usage.hpp"

#include <algorithm>
#include <deque>

#include "sdk/core/policy/action_rule.hpp"
#include "sdk/core/policy/policy_text.hpp"

namespace aispm::policy {
namespace {

constexpr std::uint64_t kMinute = 60'000'000'000;
constexpr std::uint64_t kHour = 60 * kMinute;

// The newest calls. Sliding windows need no more of them than the limit and one.
class Recent {
 public:
  static constexpr std::size_t kSize = UsageLimits::kMaxCalls + 1;

  void add(std::uint64_t time, bool is_denied) {
    times_[next_] = time;
    denied_[next_] = is_denied;
    next_ = (next_ + 1) % kSize;
    count_ = std::min(count_ + 1, kSize);
  }
  // Whether more than `limit` lie within `window` before `now`; at its age exactly a call is out.
  bool exceeds(std::size_t limit, std::uint64_t window, std::uint64_t now) const {
    return count_ > limit && now - time(limit) < window;
  }
  std::pair<std::size_t, std::size_t> calls_and_denied(std::uint64_t window,
                                                       std::uint64_t now) const {
    std::size_t calls = 0;
    std::size_t denied = 0;
    for (; calls < count_ && now - time(calls) < window; ++calls) denied += denied_[place(calls)];
    return {calls, denied};
  }
  std::uint64_t last() const { return count_ == 0 ? 0 : time(0); }

 private:
  std::size_t place(std::size_t age) const { return (next_ + kSize - 1 - age) % kSize; }
  std::uint64_t time(std::size_t age) const { return times_[place(age)]; }

  std::array<std::uint64_t, kSize> times_{};
  std::array<bool, kSize> denied_{};
  std::size_t next_ = 0;
  std::size_t count_ = 0;
};

struct ToolEntry {
  Recent calls;
};
struct ActorEntry {
  Recent calls;
  bool was_over_hour = false;
  bool was_over_ratio = false;
};
struct SessionEntry {
  Recent calls;
  bool was_over = false;
  std::deque<std::string> tools;  // newest first
};

bool matches(const ToolSequence& sequence, std::string_view tool,
             const std::deque<std::string>& before) {
  const std::vector<Glob>& steps = sequence.tools;
  const std::size_t tokens = before.size() + 1;
  const auto token = [&](std::size_t age) {
    return age == 0 ? tool : std::string_view(before[age - 1]);
  };
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t done = 0;  // steps met, from the last one back
  std::size_t age = 0;
  std::size_t star = kNone;
  std::size_t run = 0;
  while (done < steps.size()) {
    const Glob& step = steps[steps.size() - 1 - done];
    if (step.matches_all()) {
      star = done++;
      run = age;
    } else if (age >= tokens) {
      return false;
    } else if (step.matches(token(age))) {
      ++done;
      ++age;
    } else if (star != kNone) {
      done = star + 1;
      age = ++run;
    } else {
      return false;
    }
  }
  return true;
}

std::string key_of(std::string_view one, std::string_view two, std::string_view three) {
  std::string key;
  key.reserve(one.size() + two.size() + three.size() + 2);
  key.append(one).push_back('\0');
  key.append(two).push_back('\0');
  key.append(three);
  return key;
}

template <class Entry>
class Table {
 public:
  // Calls `use` with the entry of this key, which may be new. `on_full` is asked with the time of
  // the entry that was used longest ago, and says whether it may go; else nothing is used.
  template <class OnFull, class Use>
  bool with(const std::string& key, OnFull on_full, Use use) {
    Shard& shard = shards_[std::hash<std::string>()(key) % ToolUsage::kShards];
    const std::lock_guard lock(shard.mutex);
    auto entry = shard.entries.find(key);
    if (entry == shard.entries.end()) {
      if (shard.entries.size() >= ToolUsage::kEntries / ToolUsage::kShards &&
          !make_room(shard, on_full))
        return false;
      entry = shard.entries.try_emplace(key).first;
    }
    use(entry->second);
    return true;
  }

 private:
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, Entry> entries;
  };
  template <class OnFull>
  static bool make_room(Shard& shard, OnFull on_full) {
    const auto oldest = std::min_element(
        shard.entries.begin(), shard.entries.end(), [](const auto& left, const auto& right) {
          return left.second.calls.last() < right.second.calls.last();
        });
    if (!on_full(oldest->second.calls.last())) return false;
    shard.entries.erase(oldest);
    return true;
  }
  std::array<Shard, ToolUsage::kShards> shards_;
};

}  // namespace

struct ToolUsage::Tables {
  Table<ToolEntry> tools;
  Table<ActorEntry> actors;
  Table<SessionEntry> sessions;
};

ToolUsage::ToolUsage() : tables_(std::make_unique<Tables>()) {}
ToolUsage::~ToolUsage() = default;

bool ToolUsage::take_tool(const UsageLimits& limits, const UsageCall& call, BootTime now) {
  bool is_taken = false;
  const auto is_idle = [&](std::uint64_t last) { return now.nanoseconds >= last + kMinute; };
  const bool is_counted = tables_->tools.with(
      key_of(call.tenant, call.agent, call.tool), is_idle, [&](ToolEntry& entry) {
        const std::uint64_t time = std::max(now.nanoseconds, entry.calls.last());
        // Only what was let through counts: who is refused may come back when the minute is over.
        if (entry.calls.exceeds(limits.tool_minute - 1, kMinute, time)) return;
        entry.calls.add(time, false);
        is_taken = true;
      });
  if (!is_counted) refused_full_.fetch_add(1, std::memory_order_relaxed);
  return is_taken;
}

void ToolUsage::count_actor(const UsageLimits& limits, const UsageCall& call, bool is_denied,
                            BootTime now, UsageFindings& findings) {
  const auto forget = [&](std::uint64_t) {
    forgotten_.fetch_add(1, std::memory_order_relaxed);
    return true;
  };
  tables_->actors.with(key_of(call.tenant, call.agent, ""), forget, [&](ActorEntry& entry) {
    const std::uint64_t time = std::max(now.nanoseconds, entry.calls.last());
    entry.calls.add(time, is_denied);
    const bool is_over_hour = entry.calls.exceeds(limits.actor_hour, kHour, time);
    const auto [calls, denied] = entry.calls.calls_and_denied(kHour, time);
    const bool is_over_ratio =
        calls >= limits.block_calls &&
        static_cast<double>(denied) > limits.block_ratio * static_cast<double>(calls);
    findings.actor_hour = is_over_hour && !entry.was_over_hour;
    findings.block_ratio = is_over_ratio && !entry.was_over_ratio;
    entry.was_over_hour = is_over_hour;
    entry.was_over_ratio = is_over_ratio;
  });
}

ToolVerdict ToolUsage::count_session(const UsageLimits& limits, const UsageCall& call,
                                     bool is_denied, BootTime now, UsageFindings& findings) {
  const auto forget = [&](std::uint64_t) {
    forgotten_.fetch_add(1, std::memory_order_relaxed);
    return true;
  };
  ToolVerdict verdict;
  tables_->sessions.with(
      key_of(call.tenant, call.agent, call.session), forget, [&](SessionEntry& entry) {
        const std::uint64_t time = std::max(now.nanoseconds, entry.calls.last());
        entry.calls.add(time, is_denied);
        const bool is_over = entry.calls.exceeds(limits.session_minute, kMinute, time);
        findings.session_minute = is_over && !entry.was_over;
        entry.was_over = is_over;
        // What was denied has not happened and opens no way for what follows.
        if (is_denied) return;
        for (const ToolSequence& sequence : limits.sequences) {
          if (!matches(sequence, call.tool, entry.tools)) continue;
          verdict = {sequence.outcome, sequence.id, sequence.reason};
          break;
        }
        if (verdict.outcome == model::Outcome::kDeny) return;
        if (entry.tools.size() >= kWindow - 1) entry.tools.pop_back();
        entry.tools.emplace_front(call.tool.substr(0, kMaxName));
      });
  return verdict;
}

UsageVerdict ToolUsage::count(const UsageLimits& limits, const UsageCall& call, bool is_denied,
                              BootTime now) {
  UsageVerdict result;
  if (call.tool.size() > kMaxName) {
    is_denied = true;
    result.verdict = {model::Outcome::kDeny, "tools.name", "The tool's name is too long"};
  } else if (!is_denied && !take_tool(limits, call, now)) {
    is_denied = true;
    result.verdict = {model::Outcome::kRateLimited, "tools.rate",
                      "This agent has called this tool too often within a minute"};
  }
  const ToolVerdict sequence = count_session(limits, call, is_denied, now, result.findings);
  if (!sequence.rule_id.empty()) {
    result.verdict = sequence;
    is_denied = sequence.outcome == model::Outcome::kDeny;
  }
  count_actor(limits, call, is_denied, now, result.findings);
  return result;
}

UsageLimits UsageLimits::read(const YamlMap& root) {
  UsageLimits limits;
  const YamlMap map = root.map("limits");
  const auto count = [&](const char* key, std::uint32_t fallback) {
    return static_cast<std::uint32_t>(map.integer(key, fallback, {1, kMaxCalls}));
  };
  limits.tool_minute = count("tool_per_minute", limits.tool_minute);
  limits.actor_hour = count("agent_per_hour", limits.actor_hour);
  limits.session_minute = count("session_per_minute", limits.session_minute);
  limits.block_calls = count("denied_from", limits.block_calls);
  limits.block_ratio = map.number("denied_share", limits.block_ratio, 0, 1);
  for (const YamlMap& one : root.maps("sequences")) {
    if (limits.sequences.size() >= kMaxSequences) {
      one.reject("", "more than " + std::to_string(kMaxSequences) + " sequences");
      break;
    }
    ToolSequence sequence{read_name(one, "id"), read_glob_list(one, "tools"),
                          read_action_outcome(one, "outcome").value_or(model::Outcome::kDeny),
                          read_text(one, "reason", "These calls together are suspicious")};
    const std::vector<Glob>& steps = sequence.tools;
    if (steps.size() < 2 || steps.size() > kMaxSteps || steps.front().matches_all() ||
        steps.back().matches_all())
      one.reject("tools", "must be 2 to " + std::to_string(kMaxSteps) +
                              " tools, neither the first nor the last of them `*`");
    limits.sequences.push_back(std::move(sequence));
  }
  return limits;
}

}  // namespace aispm::policy
