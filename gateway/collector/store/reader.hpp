// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aispm/v1/api.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// Where a page ended: the sort key of its last row and the row's number. On the wire: hex digits,
// opaque to clients.
struct PageToken {
  std::string key;
  std::int64_t ref = 0;
  std::string encode() const;
  // Empty text: nullopt, the first page. kInvalid for what encode() did not make.
  static Result<std::optional<PageToken>> decode(std::string_view text);
};

// 0 means kDefaultPage. kInvalid beyond kMaxPage.
Result<std::uint32_t> page_limit(std::uint32_t page_size);

// The field number of an event kind such as "llm_call". kInvalid names the allowed ones.
Result<int> parse_kind(std::string_view kind);

// The columns that Reader::read_event reads, from `events e`.
inline constexpr std::string_view kEventColumns =
    "SELECT e.seq, e.id, (SELECT host_id FROM hosts WHERE ref=e.host), e.time, e.source, "
    "(SELECT agent_id FROM agents WHERE ref=e.agent), (SELECT session_id FROM sessions WHERE "
    "ref=e.session), e.trace, "
    "e.body FROM events e ";

// Answers of the API, read from the store. What only the running process knows (who is connected)
// is left to the caller. Every call ends after kQueryDeadline at the latest. Owned by one thread.
class Reader {
 public:
  enum class Only { kAll, kDetected, kDecided };

  Reader(Database& database, std::string tenant)
      : database_(database), tenant_(std::move(tenant)) {}

  // `connected`: host ids with a stream open at the moment; they count as reporting.
  Result<pb::Overview> overview(std::uint32_t hours, const std::vector<std::string>& connected,
                                WallTime now);
  Result<pb::HostList> hosts(const pb::ListRequest& request);
  Result<pb::ProcessList> processes(const pb::ListRequest& request);
  Result<pb::AgentList> agents(const pb::ListRequest& request);
  Result<pb::ProviderList> providers(const pb::ListRequest& request);
  Result<pb::ModelList> models(const pb::ListRequest& request);
  Result<pb::SessionList> sessions(const pb::ListRequest& request);
  Result<pb::AgentKeyList> agent_keys(const pb::ListRequest& request);
  Result<pb::SessionStory> session(const std::string& session_id);
  Result<pb::EventList> events(const pb::ListEventsRequest& request, Only only);
  Result<pb::Event> event(const std::string& event_id);
  // How many fit, whatever the page.
  Result<std::uint64_t> count_events(const pb::ListEventsRequest& request);
  // Fills `store` (but the queue) and `components` (but `connected`).
  Result<> status(pb::Status* status);

 private:
  // The SandboxStart in a session's `launch`; an empty one for a session without a sandbox.
  static Result<pb::SandboxStart> read_launch(const Statement& row, int column);
  Result<pb::Session> read_session(const Statement& row);
  Result<std::vector<std::string>> names(std::string_view sql, std::int64_t ref);
  Result<> count_window(pb::Overview* overview, std::int64_t since);
  Result<> count_fleet(pb::Overview* overview, std::int64_t since);
  Result<> count_reporting(pb::Overview* overview, const std::vector<std::string>& connected,
                           WallTime now);
  Result<> count_calls(pb::Overview* overview, std::int64_t since, std::int64_t now);
  Result<pb::Event> read_event(const Statement& row);

  Database& database_;
  std::string tenant_;
};

}  // namespace aispm::collector::store
