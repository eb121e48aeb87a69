// SPDX-License-Identifier: Apache-2.0
// The registry's tools.
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <sstream>

#include "gateway/collector/store/asset_book.hpp"
#include "gateway/collector/store/checks.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/policy_shelf.hpp"
#include "gateway/collector/store/register_book.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kMaxFactBytes = 512;  // as the reader of registry.yaml takes it
constexpr double kMaxPosture = 2;

constexpr std::string_view kColumns =
    "SELECT t.ref, t.provider, t.name, CASE WHEN t.state=1 AND EXISTS (SELECT 1 FROM "
    "registry_definitions d WHERE d.tool=t.ref AND d.pinned=0 AND d.last_seen>t.changed) AND "
    "EXISTS (SELECT 1 FROM registry_definitions d WHERE d.tool=t.ref AND d.pinned=1) THEN 3 ELSE "
    "t.state END AS shown, t.reason, t.facts, t.first_seen, t.last_seen, t.calls, t.decisions, "
    "t.denied, t.changed, t.changed_by, (SELECT COUNT(*) FROM registry_definitions d WHERE "
    "d.tool=t.ref AND d.pinned=1), (SELECT GROUP_CONCAT(d.findings, ' ') FROM registry_definitions "
    "d WHERE d.tool=t.ref) FROM registry_tools t ";

bool is_hash(const std::string& text) {
  return text.empty() || (text.size() == kHashDigits &&
                          text.find_first_not_of("0123456789abcdef") == std::string::npos);
}

void add_findings(const std::string& words,
                  google::protobuf::RepeatedPtrField<std::string>* findings) {
  std::istringstream text(words);
  for (std::string word; text >> word;)
    if (std::find(findings->begin(), findings->end(), word) == findings->end())
      *findings->Add() = word;
}

Result<> check_facts(const pb::ToolFacts& facts) {
  for (const auto& [text, field] : {std::pair(&facts.version(), "facts.version"),
                                    {&facts.publisher(), "facts.publisher"},
                                    {&facts.source(), "facts.source"},
                                    {&facts.scope(), "facts.scope"},
                                    {&facts.owner(), "facts.owner"}})
    AISPM_CHECK(check_text(*text, field, kMaxFactBytes));
  if (!is_hash(facts.sha256()))
    return fail(Errc::kInvalid, "facts.sha256: must be 64 lower-case hex digits");
  const std::string& risk = facts.risk();
  if (!risk.empty() && risk != "low" && risk != "medium" && risk != "high" && risk != "critical")
    return fail(Errc::kInvalid, "facts.risk: allowed are low, medium, high and critical");
  if (facts.has_posture_below() &&
      !(facts.posture_below() >= 0 && facts.posture_below() <= kMaxPosture))
    return fail(Errc::kInvalid, "facts.posture_below: allowed is 0..2");
  return check_list(facts.permissions(), "facts.permissions", RegisterBook::kMaxNames);
}

Result<> check_pin(const pb::ToolDefinitionSeen& pin) {
  if (!is_hash(pin.description_sha256()) || !is_hash(pin.schema_sha256()) ||
      (pin.description_sha256().empty() && pin.schema_sha256().empty()))
    return fail(Errc::kInvalid,
                "pins: each has a description_sha256 or a schema_sha256 of 64 lower-case hex "
                "digits");
  return {};
}

}  // namespace

Result<int> parse_register_state(std::string_view state) {
  if (state == "undecided") return 0;
  if (state == "approved") return 1;
  if (state == "blocked") return 2;
  return fail(Errc::kInvalid, "state: allowed are approved, blocked and undecided");
}

const char* register_state_name(std::int64_t state) {
  constexpr const char* kNames[] = {"undecided", "approved", "blocked", "changed"};
  return state >= 0 && state < 4 ? kNames[state] : "undecided";
}

std::string register_json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto done = google::protobuf::util::MessageToJsonString(message, &text, options);
  return done.ok() && text != "{}" ? text : std::string();
}

Result<pb::RegisteredTool> RegisterBook::read_tool(const Statement& row) {
  pb::RegisteredTool tool;
  tool.set_id("t" + std::to_string(row.integer(0)));
  tool.set_tenant(tenant_);
  tool.set_provider(row.text(1));
  tool.set_name(row.text(2));
  tool.set_state(register_state_name(row.integer(3)));
  tool.set_reason(row.text(4));
  const std::string_view facts = row.blob(5);
  if (!row.is_null(5) &&
      !tool.mutable_facts()->ParseFromArray(facts.data(), static_cast<int>(facts.size())))
    return fail(Errc::kInternal, "store: a tool's facts cannot be read");
  if (!row.is_null(6)) set_time(row.integer(6), tool.mutable_first_seen());
  if (!row.is_null(7)) set_time(row.integer(7), tool.mutable_last_seen());
  tool.set_calls(row.count(8));
  tool.set_decisions(row.count(9));
  tool.set_denied(row.count(10));
  if (!row.is_null(11)) set_time(row.integer(11), tool.mutable_changed());
  tool.set_changed_by(row.text(12));
  tool.set_pins(static_cast<std::uint32_t>(row.count(13)));
  add_findings(row.text(14), tool.mutable_findings());
  return tool;
}

Result<pb::RegisteredToolList> RegisterBook::tools(const pb::ListRegisteredToolsRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  int state = -1;
  if (request.state() == "changed") {
    state = 3;
  } else if (!request.state().empty()) {
    AISPM_TRY(state, parse_register_state(request.state()));
  }
  AISPM_TRY(Statement* const find,
            database_.cached(std::string(kColumns) +
                             "WHERE t.tenant=?1 AND (t.name LIKE ?2 ESCAPE '\\' OR t.provider LIKE "
                             "?2 ESCAPE '\\') AND (?3<0 OR shown=?3) AND (?4 OR t.ref<?5) ORDER BY "
                             "t.ref DESC LIMIT ?6"));
  find->bind(tenant_, page.like, state, page.is_first, page.after.ref, page.limit + 1);
  pb::RegisteredToolList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 0, [&](const Statement& row) -> Result<> {
              AISPM_TRY(*list.add_tools(), read_tool(row));
              return {};
            }));
  return list;
}

Result<pb::RegisteredTool> RegisterBook::find_tool(std::int64_t ref) {
  AISPM_TRY(Statement* const find,
            database_.cached(std::string(kColumns) + "WHERE t.ref=? AND t.tenant=?"));
  AISPM_TRY(const bool is_row, find->bind(ref, tenant_).step());
  if (!is_row) return fail(Errc::kNotFound, "no tool has the id t" + std::to_string(ref));
  auto tool = read_tool(*find);
  find->reset();
  return tool;
}

Result<> RegisterBook::add_definitions(std::int64_t ref, bool only_pinned, pb::RegisteredTool* to) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT d.description, d.schema, d.pinned, d.first_seen, d.last_seen, "
                             "IFNULL((SELECT host_id FROM hosts WHERE ref=d.host), ''), d.findings "
                             "FROM registry_definitions d WHERE d.tool=?1 AND d.pinned>=?2 ORDER "
                             "BY d.last_seen DESC, d.description, d.schema LIMIT ?3"));
  find->bind(ref, only_pinned ? 1 : 0, kMaxDefinitions);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    pb::ToolDefinitionSeen& definition = *to->add_definitions();
    definition.set_description_sha256(find->text(0));
    definition.set_schema_sha256(find->text(1));
    definition.set_pinned(find->integer(2) != 0);
    if (!find->is_null(3)) set_time(find->integer(3), definition.mutable_first_seen());
    if (!find->is_null(4)) set_time(find->integer(4), definition.mutable_last_seen());
    definition.set_host_id(find->text(5));
    add_findings(find->text(6), definition.mutable_findings());
  }
}

Result<> RegisterBook::describe(std::int64_t ref, pb::RegisteredTool* to) {
  AISPM_CHECK(add_definitions(ref, false, to));
  AISPM_CHECK(
      add_hosts("SELECT h.host_id FROM registry_tool_hosts t JOIN hosts h ON h.ref=t.host "
                "WHERE t.tool=CAST(?1 AS INTEGER) ORDER BY t.last_seen DESC LIMIT ?2",
                std::to_string(ref), to));
  return add_history("tool", to->provider(), to->name(), to);
}

Result<pb::RegisteredTool> RegisterBook::tool(const std::string& id) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const std::int64_t ref, parse_row_id('t', id));
  AISPM_TRY(pb::RegisteredTool tool, find_tool(ref));
  AISPM_CHECK(describe(ref, &tool));
  return tool;
}

Result<pb::RegisteredTool> RegisterBook::tool(const std::string& provider,
                                              const std::string& name) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT ref FROM registry_tools WHERE tenant=? AND provider=? AND "
                             "name=?"));
  AISPM_TRY(const bool is_row, find->bind(tenant_, provider, name).step());
  if (!is_row) return fail(Errc::kNotFound, "no tool has that name");
  const std::int64_t ref = find->integer(0);
  find->reset();
  return tool("t" + std::to_string(ref));
}

Result<std::int64_t> RegisterBook::make_tool(const std::string& provider, const std::string& name) {
  AISPM_CHECK(check_text(provider, "provider"));
  AISPM_CHECK(check_text(name, "name"));
  if (name.empty()) return fail(Errc::kInvalid, "name: is missing");
  AISPM_CHECK(run_sql(database_,
                      "INSERT OR IGNORE INTO registry_tools (tenant, provider, name) VALUES "
                      "(?,?,?)",
                      tenant_, provider, name));
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT ref FROM registry_tools WHERE tenant=? AND provider=? AND "
                             "name=?"));
  AISPM_TRY(const bool is_row, find->bind(tenant_, provider, name).step());
  if (!is_row) return fail(Errc::kInternal, "store: a tool was not kept");
  const std::int64_t ref = find->integer(0);
  find->reset();
  return ref;
}

Result<> RegisterBook::pin(std::int64_t ref, const pb::ToolDefinitionSeen& definition) {
  std::string findings;
  for (const std::string& one : definition.findings())
    findings += (findings.empty() ? "" : " ") + one;
  AISPM_CHECK(check_text(findings, "pins.findings", 1024));
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO registry_definitions (tool, description, schema, pinned, "
                      "findings) VALUES (?,?,?,1,?) ON CONFLICT DO UPDATE SET pinned=1, "
                      "findings=IFNULL(NULLIF(excluded.findings, ''), findings)",
                      ref, definition.description_sha256(), definition.schema_sha256(), findings));
  AISPM_TRY(Statement* const count,
            database_.cached("SELECT COUNT(*) FROM registry_definitions WHERE tool=? AND "
                             "pinned=1"));
  AISPM_TRY(const bool is_row, count->bind(ref).step());
  const std::int64_t pins = is_row ? count->integer(0) : 0;
  count->reset();
  if (pins > kMaxPins)
    return fail(Errc::kExhausted,
                "a tool has at most 32 pins: approve with `only` to forget others");
  return {};
}

// What people decided, without what was seen.
Result<pb::RegisteredTool> RegisterBook::record_of(std::int64_t ref) {
  AISPM_TRY(const pb::RegisteredTool tool, find_tool(ref));
  pb::RegisteredTool record;
  record.set_state(tool.state() == "changed" ? "approved" : tool.state());
  record.set_reason(tool.reason());
  if (tool.has_facts()) *record.mutable_facts() = tool.facts();
  AISPM_CHECK(add_definitions(ref, true, &record));
  for (auto& pin : *record.mutable_definitions()) {
    pin.clear_first_seen();
    pin.clear_last_seen();
    pin.clear_host_id();
  }
  return record;
}

Result<RegisterChange> RegisterBook::change_of(const pb::RegisteredTool& before, std::int64_t ref,
                                               const char* action, const std::string& reason) {
  AISPM_TRY(const pb::RegisteredTool tool, find_tool(ref));
  AISPM_TRY(const pb::RegisteredTool after, record_of(ref));
  const auto in_a_word = [](const pb::RegisteredTool& record) {
    return record.state() + " with " + std::to_string(record.definitions_size()) + " pins";
  };
  return RegisterChange{.kind = "tool",
                        .provider = tool.provider(),
                        .name = tool.name(),
                        .action = action,
                        .reason = reason,
                        .before = register_json(before),
                        .after = register_json(after),
                        .state_before = in_a_word(before),
                        .state_after = in_a_word(after)};
}

Result<> RegisterBook::save_tool(std::int64_t ref, int state, const std::string& reason,
                                 const std::string& who, WallTime now) {
  return run_sql(database_,
                 "UPDATE registry_tools SET state=?2, reason=?3, changed=?4, changed_by=?5 WHERE "
                 "ref=?1",
                 ref, state, reason, now.nanoseconds, who);
}

Result<RegisterChange> RegisterBook::register_tool(const pb::RegisterToolRequest& request,
                                                   const std::string& who, WallTime now) {
  AISPM_CHECK(check_reason(request.reason()));
  AISPM_CHECK(check_facts(request.facts()));
  for (const auto& one : request.pins()) AISPM_CHECK(check_pin(one));
  AISPM_TRY(const std::int64_t ref, make_tool(request.provider(), request.name()));
  AISPM_TRY(const pb::RegisteredTool before, record_of(ref));
  const std::string facts = request.facts().SerializeAsString();
  AISPM_CHECK(
      run_sql(database_, "UPDATE registry_tools SET facts=?2 WHERE ref=?1", ref, Blob{facts}));
  for (const auto& one : request.pins()) AISPM_CHECK(pin(ref, one));
  const bool is_blocked = before.state() == "blocked";
  AISPM_CHECK(save_tool(ref, is_blocked ? 2 : 1, is_blocked ? before.reason() : request.reason(),
                        who, now));
  return change_of(before, ref, "tool.register", request.reason());
}

Result<> RegisterBook::approve(std::int64_t ref, const pb::ReviewToolRequest& request) {
  pb::ToolDefinitionSeen definition;
  definition.set_description_sha256(request.description_sha256());
  definition.set_schema_sha256(request.schema_sha256());
  const bool has_pin = !request.description_sha256().empty() || !request.schema_sha256().empty();
  if (has_pin == request.without_pin())
    return fail(Errc::kInvalid,
                has_pin ? "without_pin: goes without a definition"
                        : "description_sha256, schema_sha256: say which definition is approved, or "
                          "without_pin that any is");
  if (request.only() || request.without_pin())
    AISPM_CHECK(run_sql(database_, "UPDATE registry_definitions SET pinned=0 WHERE tool=?", ref));
  if (!has_pin) return {};
  AISPM_CHECK(check_pin(definition));
  return pin(ref, definition);
}

Result<> RegisterBook::forget_tool(std::int64_t ref) {
  AISPM_CHECK(run_sql(database_, "UPDATE registry_definitions SET pinned=0 WHERE tool=?", ref));
  AISPM_CHECK(run_sql(database_,
                      "DELETE FROM registry_definitions WHERE tool=? AND last_seen IS NULL", ref));
  return run_sql(database_, "UPDATE registry_tools SET facts=NULL WHERE ref=?", ref);
}

Result<RegisterChange> RegisterBook::review_tool(const pb::ReviewToolRequest& request,
                                                 const std::string& who, WallTime now) {
  AISPM_CHECK(check_reason(request.reason()));
  AISPM_TRY(const int state, parse_register_state(request.state()));
  AISPM_TRY(const std::int64_t ref, parse_row_id('t', request.id()));
  AISPM_TRY(const pb::RegisteredTool before, record_of(ref));
  if (state == 1) AISPM_CHECK(approve(ref, request));
  if (state == 0) AISPM_CHECK(forget_tool(ref));
  AISPM_CHECK(save_tool(ref, state, request.reason(), who, now));
  constexpr const char* kActions[] = {"tool.forget", "tool.approve", "tool.block"};
  return change_of(before, ref, kActions[state], request.reason());
}

Result<std::vector<pb::RegisteredTool>> RegisterBook::decided_tools() {
  std::vector<pb::RegisteredTool> tools;
  AISPM_TRY(Statement* const find,
            database_.cached(std::string(kColumns) +
                             "WHERE t.tenant=? AND t.state<>0 ORDER BY t.provider, t.name"));
  find->bind(tenant_);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) break;
    AISPM_TRY(tools.emplace_back(), read_tool(*find));
  }
  for (pb::RegisteredTool& tool : tools) {
    AISPM_TRY(const std::int64_t ref, parse_row_id('t', tool.id()));
    AISPM_CHECK(add_definitions(ref, true, &tool));
  }
  return tools;
}

Result<> RegisterBook::note(const RegisterChange& change, std::uint64_t version,
                            const std::string& who, WallTime now) {
  return run_sql(database_,
                 "INSERT INTO registry_changes (tenant, kind, provider, name, time, who, action, "
                 "reason, before, after, version) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                 tenant_, change.kind, change.provider, change.name, now.nanoseconds, who,
                 change.action, change.reason, change.before, change.after, version);
}

}  // namespace aispm::collector::store
