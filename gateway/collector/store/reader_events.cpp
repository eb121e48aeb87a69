// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/uuid.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::collector::store {
namespace {

struct SourceName {
  std::string_view name;
  pb::Source source;
};
constexpr SourceName kSources[] = {{"sensor", pb::SOURCE_SENSOR},
                                   {"gateway", pb::SOURCE_GATEWAY},
                                   {"sandbox", pb::SOURCE_SANDBOX},
                                   {"sdk", pb::SOURCE_SDK},
                                   {"collector", pb::SOURCE_COLLECTOR}};

std::optional<std::string> parse_trace(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int value = 0;
    for (const char c : text.substr(i, 2)) {
      const bool is_digit = c >= '0' && c <= '9';
      if (!is_digit && (c < 'a' || c > 'f')) return std::nullopt;
      value = value << 4 | (is_digit ? c - '0' : c - 'a' + 10);
    }
    bytes += static_cast<char>(value);
  }
  return bytes;
}

// The conditions of one ListEvents as SQL with numbered parameters, and the index that fits them
// best.
struct Filter {
  std::string where;
  std::string_view index = "events_time";
  int rank = 0;
  bool is_empty = false;  // nothing can fit: an unknown host, agent or session
  std::optional<std::int64_t> kind, host, agent, session, source;
  std::optional<std::string> trace;
  std::int64_t after = INT64_MIN;
  std::int64_t before = INT64_MAX;

  void add(std::string_view condition, std::string_view better_index, int its_rank) {
    where += where.empty() ? " WHERE " : " AND ";
    where += condition;
    if (its_rank > rank) {
      rank = its_rank;
      index = better_index;
    }
  }
};

Result<std::optional<std::int64_t>> find_ref(Database& database, std::string_view sql,
                                             const std::string& name) {
  AISPM_TRY(Statement* const find, database.cached(sql));
  AISPM_TRY(const bool is_row, find->bind(name).step());
  std::optional<std::int64_t> ref;
  if (is_row) ref = find->integer(0);
  find->reset();
  return ref;
}

Result<> add_names(Database& database, const pb::ListEventsRequest& request, Filter& filter) {
  struct Name {
    const std::string* value;
    std::string_view sql, condition, index;
    int rank;
    std::optional<std::int64_t>* ref;
  };
  for (const Name& name :
       {Name{&request.host_id(), "SELECT ref FROM hosts WHERE host_id=?", "e.host=?2",
             "events_host", 1, &filter.host},
        Name{&request.agent_id(), "SELECT ref FROM agents WHERE agent_id=?", "e.agent=?3",
             "events_agent", 5, &filter.agent},
        Name{&request.session_id(), "SELECT ref FROM sessions WHERE session_id=?", "e.session=?4",
             "events_session", 6, &filter.session}}) {
    if (name.value->empty()) continue;
    AISPM_TRY(*name.ref, find_ref(database, name.sql, *name.value));
    if (!*name.ref) filter.is_empty = true;
    filter.add(name.condition, name.index, name.rank);
  }
  return {};
}

Result<Filter> read_filter(Database& database, const pb::ListEventsRequest& request,
                           Reader::Only only) {
  Filter filter;
  if (!request.kind().empty()) {
    AISPM_TRY(filter.kind, parse_kind(request.kind()));
    filter.add("e.kind=?1", "events_kind", 2);
  }
  AISPM_CHECK(add_names(database, request, filter));
  if (!request.source().empty()) {
    for (const auto& [name, source] : kSources)
      if (name == request.source()) filter.source = static_cast<std::int64_t>(source);
    if (!filter.source)
      return fail(Errc::kInvalid, "source: allowed is sensor, gateway, sandbox, sdk, collector");
    if (*filter.source == pb::SOURCE_SENSOR)
      filter.add("e.source=?5", "events_time", 0);
    else
      filter.add("e.source=?5 AND e.source<>1", "events_told", 3);
  }
  if (!request.trace_id().empty()) {
    filter.trace = parse_trace(request.trace_id());
    if (!filter.trace) return fail(Errc::kInvalid, "trace_id: must be 32 lower-case hex digits");
    filter.add("e.trace=?6", "events_trace", 7);
  }
  if (only == Reader::Only::kDetected) filter.add("e.detections>0", "events_detected", 4);
  if (only == Reader::Only::kDecided) filter.add("e.outcome>1", "events_decided", 4);
  const auto nanoseconds = [](const google::protobuf::Timestamp& time) {
    const std::int64_t seconds =
        std::min<std::int64_t>(std::max<std::int64_t>(time.seconds(), 0), 9'223'372'035);
    return seconds * 1'000'000'000 + time.nanos();
  };
  if (request.has_after()) {
    filter.after = nanoseconds(request.after());
    filter.add("e.time>=?7", "events_time", 0);
  }
  if (request.has_before()) {
    filter.before = nanoseconds(request.before());
    filter.add("e.time<?8", "events_time", 0);
  }
  return filter;
}

}  // namespace

Result<int> parse_kind(std::string_view kind) {
  const auto* const body = pb::Event::descriptor()->FindOneofByName("body");
  std::string allowed;
  for (int i = 0; i < body->field_count(); ++i) {
    if (body->field(i)->name() == kind) return body->field(i)->number();
    allowed += (i == 0 ? "" : ", ") + body->field(i)->name();
  }
  return fail(Errc::kInvalid, "kind: allowed is one of " + allowed);
}

Result<pb::Event> Reader::read_event(const Statement& row) {
  pb::Event event;
  const std::string_view body = row.blob(8);
  if (!event.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fail(Errc::kInternal, "store: an event does not parse");
  event.set_id(format_uuid(row.blob(1)));
  event.set_tenant(tenant_);
  event.set_host_id(row.text(2));
  set_time(row.integer(3), event.mutable_time());
  event.set_source(static_cast<pb::Source>(row.integer(4)));
  event.set_agent_id(row.text(5));
  event.set_session_id(row.text(6));
  const std::string_view trace = row.blob(7);
  event.set_trace_id(to_hex({reinterpret_cast<const std::uint8_t*>(trace.data()), trace.size()}));
  return event;
}

Result<pb::Event> Reader::event(const std::string& event_id) {
  const QueryDeadline deadline(database_);
  const auto id = parse_uuid(event_id);
  if (!id) return fail(Errc::kInvalid, "event_id: must be a UUID");
  AISPM_TRY(Statement* const find,
            database_.cached(std::string(kEventColumns) + "WHERE e.id=? ORDER BY e.seq LIMIT 1"));
  AISPM_TRY(const bool is_row, find->bind(Blob{{id->data(), id->size()}}).step());
  if (!is_row) return fail(Errc::kNotFound, "no event with that id");
  auto event = read_event(*find);
  find->reset();
  return event;
}

Result<std::uint64_t> Reader::count_events(const pb::ListEventsRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Filter filter, read_filter(database_, request, Only::kAll));
  if (filter.is_empty) return 0;
  AISPM_TRY(Statement* const count,
            database_.cached("SELECT count(*) FROM events e INDEXED BY " +
                             std::string(filter.index) + filter.where + " LIMIT ?9"));
  std::optional<Blob> trace;
  if (filter.trace) trace = Blob{*filter.trace};
  count->bind(filter.kind, filter.host, filter.agent, filter.session, filter.source, trace,
              filter.after, filter.before, 1);
  AISPM_TRY(const bool is_row, count->step());
  const std::uint64_t found = is_row ? count->count(0) : 0;
  count->reset();
  return found;
}

Result<pb::EventList> Reader::events(const pb::ListEventsRequest& request, Only only) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const std::uint32_t limit, page_limit(request.page_size()));
  AISPM_TRY(const auto token, PageToken::decode(request.page_token()));
  AISPM_TRY(Filter filter, read_filter(database_, request, only));
  pb::EventList list;
  if (filter.is_empty) return list;
  std::int64_t last_time = 0;
  std::int64_t last_seq = 0;
  if (token) {
    last_time = std::strtoll(token->key.c_str(), nullptr, 10);
    last_seq = token->ref;
    filter.add("e.time<=?9 AND (e.time<?9 OR e.seq<?10)", "events_time", 0);
  }
  AISPM_TRY(Statement* const find, database_.cached(std::string(kEventColumns) + "INDEXED BY " +
                                                    std::string(filter.index) + filter.where +
                                                    " ORDER BY e.time DESC, e.seq DESC LIMIT ?11"));
  std::optional<Blob> trace;
  if (filter.trace) trace = Blob{*filter.trace};
  find->bind(filter.kind, filter.host, filter.agent, filter.session, filter.source, trace,
             filter.after, filter.before, last_time, last_seq, limit + 1);
  std::size_t bytes = 0;
  for (std::uint32_t count = 0;; ++count) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return list;
    if (count == limit || bytes > limits::kMaxPageBytes) {
      list.set_next_page_token(PageToken{std::to_string(last_time), last_seq}.encode());
      find->reset();
      return list;
    }
    bytes += find->blob(8).size();
    last_seq = find->integer(0);
    last_time = find->integer(3);
    AISPM_TRY(*list.add_events(), read_event(*find));
  }
}

}  // namespace aispm::collector::store
