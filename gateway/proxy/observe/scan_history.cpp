// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/scan_history.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/proxy/observe/query.hpp"
#include "sdk/core/detect/rule.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 4> kActions = {"allow", "warn", "redact", "block"};
constexpr std::array<std::string_view, 5> kSeverities = {"info", "low", "medium", "high",
                                                         "critical"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Result<> read_one(ScanFilter& filter, const std::string& name, const std::string& value,
                  bool is_operator) {
  // Milliseconds since 1970 fit into nanoseconds until 2262.
  constexpr std::uint64_t kMaxMilliseconds = 9'000'000'000'000;
  constexpr std::int64_t kNanoseconds = 1'000'000;
  if (name == "limit" || name == "offset") {
    const bool is_limit = name == "limit";
    AISPM_TRY(const std::uint64_t number,
              read_query_number(name, value, is_limit ? ScanFilter::kMaxLimit : 1'000'000'000));
    (is_limit ? filter.limit : filter.offset) = static_cast<std::size_t>(number);
    return {};
  }
  if (name == "since_ms" || name == "until_ms") {
    AISPM_TRY(const std::uint64_t number, read_query_number(name, value, kMaxMilliseconds));
    (name == "since_ms" ? filter.since : filter.until) =
        WallTime{static_cast<std::int64_t>(number) * kNanoseconds};
    return {};
  }
  if (name == "action" && !is_one_of(kActions, value))
    return fail(Errc::kInvalid, "action: allowed is allow, warn, redact or block");
  if (name == "severity" && !is_one_of(kSeverities, value))
    return fail(Errc::kInvalid, "severity: allowed is info, low, medium, high or critical");
  if (name == "scan_type" && value != "input" && value != "output")
    return fail(Errc::kInvalid, "scan_type: allowed is input or output");
  if (name == "type" && !detect::parse_category(value))
    return fail(Errc::kInvalid, "type: allowed is one of " + detect::category_words());
  if (is_operator && name == "tenant") {
    filter.tenant = value;
  } else if (is_operator && name == "agent") {
    filter.agent = value;
  } else if (name == "action") {
    filter.action = value;
  } else if (name == "severity") {
    filter.severity = value;
  } else if (name == "scan_type") {
    filter.scan_type = value;
  } else if (name == "type") {
    filter.type = value;
  } else if (name == "rule") {
    filter.rule = value;
  } else if (name == "policy_id") {
    filter.policy = value;
  } else {
    return fail(Errc::kInvalid, "`" + name.substr(0, 32) +
                                    "` is not known; allowed are limit, offset, action, scan_type, "
                                    "policy_id, type, rule, severity, since_ms and until_ms");
  }
  return {};
}

bool fits(const ScanFilter& filter, const ScanRecord::Threat& threat) {
  return (filter.type.empty() || filter.type == threat.type) &&
         (filter.rule.empty() || filter.rule == threat.rule) &&
         (filter.severity.empty() || filter.severity == model::name_of(threat.severity));
}

bool asks_for_threats(const ScanFilter& filter) {
  return !filter.type.empty() || !filter.rule.empty() || !filter.severity.empty();
}

// All but what is said about threats.
bool fits_scan(const ScanFilter& filter, const ScanRecord& record) {
  return (!filter.tenant || *filter.tenant == record.tenant) &&
         (!filter.agent || *filter.agent == record.agent) &&
         (filter.action.empty() || filter.action == record.action) &&
         (filter.policy.empty() || filter.policy == record.policy) &&
         (filter.scan_type.empty() || (filter.scan_type == "output") == record.is_output) &&
         (!filter.since || record.time >= *filter.since) &&
         (!filter.until || record.time <= *filter.until);
}

json::object to_json(const ScanRecord::Threat& threat) {
  return {{"type", threat.type},
          {"severity", model::name_of(threat.severity)},
          {"confidence", threat.confidence},
          {"rule", threat.rule}};
}

json::object head_of(const ScanRecord& record) {
  return {{"scan_id", record.id},         {"time", to_rfc3339(record.time)},
          {"tenant", record.tenant},      {"agent", record.agent},
          {"session_id", record.session}, {"scan_type", record.is_output ? "output" : "input"},
          {"policy_id", record.policy},   {"action", record.action}};
}

json::object to_json(const ScanRecord& record) {
  json::object out = head_of(record);
  out["allowed"] = record.action != "block";
  out["latency_ms"] = static_cast<double>(record.latency_us) / 1000.0;
  out["content_bytes"] = record.content_bytes;
  json::array threats;
  for (const ScanRecord::Threat& threat : record.threats) threats.push_back(to_json(threat));
  out["threats"] = std::move(threats);
  out["threats_not_kept"] = record.more_threats;
  return out;
}

// Counts all, keeps those of one page.
class Page {
 public:
  explicit Page(const ScanFilter& filter) : filter_(filter) {}
  template <typename Make>
  void add(const Make& make) {
    if (total_ >= filter_.offset && entries_.size() < filter_.limit) entries_.push_back(make());
    ++total_;
  }
  std::string finish(std::string_view name, std::uint64_t forgotten) {
    json::object out;
    out[name] = std::move(entries_);
    out["total"] = total_;
    out["offset"] = filter_.offset;
    out["limit"] = filter_.limit;
    out["forgotten"] = forgotten;
    return json::serialize(out);
  }

 private:
  const ScanFilter& filter_;
  json::array entries_;
  std::uint64_t total_ = 0;
};

}  // namespace

Result<ScanFilter> read_scan_filter(std::string_view query, bool is_operator) {
  ScanFilter filter;
  AISPM_TRY(const auto pairs, read_query(query));
  for (const auto& [name, value] : pairs) AISPM_CHECK(read_one(filter, name, value, is_operator));
  return filter;
}

void ScanHistory::add(ScanRecord record) {
  const std::lock_guard lock(mutex_);
  records_.push_front(std::move(record));
  while (records_.size() > size_) {
    records_.pop_back();
    ++forgotten_;
  }
}

std::string ScanHistory::list_scans(const ScanFilter& filter) const {
  const bool about_threats = asks_for_threats(filter);
  const std::lock_guard lock(mutex_);
  Page page(filter);
  for (const ScanRecord& record : records_) {
    if (!fits_scan(filter, record)) continue;
    if (about_threats && std::none_of(record.threats.begin(), record.threats.end(),
                                      [&](const auto& threat) { return fits(filter, threat); }))
      continue;
    page.add([&] { return to_json(record); });
  }
  return page.finish("scans", forgotten_);
}

std::string ScanHistory::list_threats(const ScanFilter& filter) const {
  const std::lock_guard lock(mutex_);
  Page page(filter);
  for (const ScanRecord& record : records_) {
    if (!fits_scan(filter, record)) continue;
    for (const ScanRecord::Threat& threat : record.threats) {
      if (!fits(filter, threat)) continue;
      page.add([&] {
        json::object out = head_of(record);
        for (auto& member : to_json(threat)) out[member.key()] = member.value();
        return out;
      });
    }
  }
  return page.finish("threats", forgotten_);
}

std::size_t ScanHistory::size() const {
  const std::lock_guard lock(mutex_);
  return records_.size();
}

}  // namespace aispm::gateway
