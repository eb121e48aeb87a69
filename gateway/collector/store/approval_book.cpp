// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/approval_book.hpp"

#include <algorithm>

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/operator_log.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::size_t kMaxShownBytes = 16U << 10;
constexpr std::size_t kMaxReasonBytes = 1024;
constexpr std::size_t kMaxResultBytes = 64U << 10;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kRecent = 900 * kSecond;  // what changed before is of no use to a gateway
constexpr std::size_t kDigestDigits = 64;

auto wrong(const char* field, const std::string& what) {
  return fail(Errc::kInvalid, std::string(field) + ": " + what);
}

Result<> check_size(const std::string& text, const char* field, std::size_t limit) {
  if (text.size() > limit) return wrong(field, "longer than " + std::to_string(limit) + " bytes");
  return {};
}

bool is_hex_digest(const std::string& text) {
  return text.size() == kDigestDigits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<> check_wanted(const pb::Approval& wanted) {
  if (wanted.kind() != pb::APPROVAL_KIND_APPROVAL && wanted.kind() != pb::APPROVAL_KIND_HUMAN)
    return wrong("kind", "people are asked for APPROVAL or HUMAN");
  if (!is_hex_digest(wanted.digest())) return wrong("digest", "must be 64 hex digits");
  if (wanted.agent_id().empty()) return wrong("agent_id", "is missing");
  if (wanted.tool().empty()) return wrong("tool", "is missing");
  const std::pair<const std::string*, const char*> names[] = {
      {&wanted.agent_id(), "agent_id"},   {&wanted.session_id(), "session_id"},
      {&wanted.requester(), "requester"}, {&wanted.trace_id(), "trace_id"},
      {&wanted.tool(), "tool"},           {&wanted.tool_provider(), "tool_provider"},
      {&wanted.policy_id(), "policy_id"}, {&wanted.policy_version(), "policy_version"},
      {&wanted.rule_id(), "rule_id"},     {&wanted.approver_role(), "approver_role"}};
  for (const auto& [text, field] : names)
    AISPM_CHECK(check_size(*text, field, limits::kMaxNameBytes));
  AISPM_CHECK(check_size(wanted.reason(), "reason", kMaxReasonBytes));
  return check_size(wanted.arguments_text(), "arguments_text", kMaxShownBytes);
}

std::int64_t nanoseconds(const google::protobuf::Timestamp& time) {
  return time.seconds() * kSecond + time.nanos();
}

// What has run out by now says so, whoever wrote it last.
Result<pb::Approval> read(const Statement& row, int column, WallTime now) {
  pb::Approval approval;
  const std::string_view body = row.blob(column);
  if (!approval.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fail(Errc::kInternal, "store: an approval cannot be read");
  const bool can_expire =
      is_open(approval.state()) || approval.state() == pb::APPROVAL_STATE_APPROVED;
  if (can_expire && nanoseconds(approval.expires()) <= now.nanoseconds)
    approval.set_state(pb::APPROVAL_STATE_EXPIRED);
  return approval;
}

bool may_approve_as(const Approver& who, const std::string& role) {
  if (role.empty()) return true;
  if (const auto rank = parse_role(role)) return who.role >= *rank;
  return std::ranges::find(who.roles, role) != who.roles.end();
}

// A person who asked for it, by any of the names under which it stands in the record.
Result<> check_who(const Approver& who, const pb::Approval& approval) {
  // Else nobody could say whether it is whoever asked.
  if (who.person.empty())
    return fail(Errc::kDenied,
                "this token names no person: `aispm-collector token create --note NAME` makes one "
                "that does");
  if (is_requester(who, approval))
    return fail(Errc::kDenied, "whoever asked for it may not answer: " + who.person);
  if (!may_approve_as(who, approval.approver_role()))
    return fail(Errc::kDenied, "this needs the role " + approval.approver_role());
  return {};
}

Result<> check_answer(const pb::DecideApprovalRequest& request, const pb::Approval& approval,
                      const Approver& who) {
  AISPM_CHECK(check_size(request.reason(), "reason", kMaxReasonBytes));
  AISPM_CHECK(check_size(request.result(), "result", kMaxResultBytes));
  AISPM_CHECK(check_size(request.role(), "role", limits::kMaxNameBytes));
  const bool is_human = approval.kind() == pb::APPROVAL_KIND_HUMAN;
  const bool is_taken = approval.state() == pb::APPROVAL_STATE_TAKEN_OVER;
  if (is_taken && approval.decided_by() != who.name)
    return fail(Errc::kDenied, approval.decided_by() + " has taken this over");
  switch (request.answer()) {
    case pb::APPROVAL_ANSWER_APPROVE:
      if (is_human) return wrong("answer", "this one must be taken over by a person, not approved");
      return {};
    case pb::APPROVAL_ANSWER_DENY:
      return request.reason().empty() ? wrong("reason", "say why it is denied") : Result<>();
    case pb::APPROVAL_ANSWER_ESCALATE:
      if (request.role().empty()) return wrong("role", "say to which role it goes");
      return request.reason().empty() ? wrong("reason", "say why it is escalated") : Result<>();
    case pb::APPROVAL_ANSWER_TAKE_OVER:
      if (!is_human) return wrong("answer", "this one is approved or denied");
      return is_taken ? wrong("answer", "it is taken over already") : Result<>();
    case pb::APPROVAL_ANSWER_FINISH:
      if (!is_taken) return wrong("answer", "take it over first");
      return request.result().empty() ? wrong("result", "say what the tool call is answered with")
                                      : Result<>();
    default:
      return wrong("answer", "APPROVE, DENY, ESCALATE, TAKE_OVER or FINISH is needed");
  }
}

pb::ApprovalState state_after(pb::ApprovalAnswer answer) {
  switch (answer) {
    case pb::APPROVAL_ANSWER_APPROVE:
      return pb::APPROVAL_STATE_APPROVED;
    case pb::APPROVAL_ANSWER_ESCALATE:
      return pb::APPROVAL_STATE_ESCALATED;
    case pb::APPROVAL_ANSWER_TAKE_OVER:
      return pb::APPROVAL_STATE_TAKEN_OVER;
    case pb::APPROVAL_ANSWER_FINISH:
      return pb::APPROVAL_STATE_USED;
    default:
      return pb::APPROVAL_STATE_DENIED;
  }
}

const char* action_name(pb::ApprovalAnswer answer) {
  switch (answer) {
    case pb::APPROVAL_ANSWER_APPROVE:
      return "approval.approve";
    case pb::APPROVAL_ANSWER_ESCALATE:
      return "approval.escalate";
    case pb::APPROVAL_ANSWER_TAKE_OVER:
      return "approval.take_over";
    case pb::APPROVAL_ANSWER_FINISH:
      return "approval.finish";
    default:
      return "approval.deny";
  }
}

}  // namespace

bool is_requester(const Approver& who, const pb::Approval& approval) {
  const std::string& agent = approval.agent_id();
  return !who.person.empty() && (who.person == approval.requester() || who.person == agent ||
                                 who.person == agent.substr(0, agent.find('/')));
}

bool is_open(pb::ApprovalState state) {
  return state == pb::APPROVAL_STATE_PENDING || state == pb::APPROVAL_STATE_ESCALATED ||
         state == pb::APPROVAL_STATE_TAKEN_OVER;
}

std::string name_of(pb::ApprovalState state) {
  std::string name = pb::ApprovalState_Name(state).substr(sizeof("APPROVAL_STATE_") - 1);
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return name;
}

Result<std::optional<pb::Approval>> ApprovalBook::find_same(const pb::Approval& wanted,
                                                            WallTime now) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT body FROM approvals WHERE agent_id=? AND digest=? AND "
                             "session_id=? ORDER BY ref DESC LIMIT 1"));
  AISPM_TRY(const bool is_row,
            find->bind(wanted.agent_id(), wanted.digest(), wanted.session_id()).step());
  if (!is_row) return std::optional<pb::Approval>();
  auto approval = read(*find, 0, now);
  find->reset();
  if (!approval) return fail(approval.error());
  const pb::ApprovalState state = approval->state();
  const bool is_good = (is_open(state) || state == pb::APPROVAL_STATE_APPROVED) &&
                       approval->kind() == wanted.kind() &&
                       approval->policy_version() == wanted.policy_version();
  const bool is_denied =
      state == pb::APPROVAL_STATE_DENIED &&
      now.nanoseconds - nanoseconds(approval->decided()) < kDeniedSeconds * kSecond;
  if (!is_good && !is_denied) return std::optional<pb::Approval>();
  return std::optional<pb::Approval>(std::move(*approval));
}

Result<> ApprovalBook::check_room(const pb::Approval& wanted, WallTime now) {
  AISPM_TRY(Statement* const count,
            database_.cached("SELECT COUNT(*), IFNULL(SUM(agent_id=?1),0) FROM approvals WHERE "
                             "state IN (1,6,7) AND expires>?2"));
  AISPM_TRY(const bool is_row, count->bind(wanted.agent_id(), now.nanoseconds).step());
  const std::size_t all = is_row ? count->count(0) : 0;
  const std::size_t own = is_row ? count->count(1) : 0;
  count->reset();
  if (all >= kMaxOpen) return fail(Errc::kExhausted, "too many approvals wait already");
  if (own >= kMaxOpenOfAgent)
    return fail(Errc::kExhausted, "too many approvals of this agent wait already");
  return {};
}

Result<> ApprovalBook::store(const pb::Approval& approval, WallTime now) {
  const std::string body = approval.SerializeAsString();
  AISPM_CHECK(
      run_sql(database_, "UPDATE approvals SET state=?, body=?, changed=? WHERE approval_id=?",
              static_cast<int>(approval.state()), Blob{body}, now.nanoseconds, approval.id()));
  return raise_counter(database_, "approval_version");
}

Result<> ApprovalBook::note(const pb::Approval& after, pb::ApprovalState before,
                            const std::string& who, const std::string& action,
                            const std::string& reason, WallTime now) {
  pb::OperatorAction noted;
  noted.set_who(who);
  noted.set_action(action);
  noted.set_target(after.id());
  noted.set_reason(reason);
  noted.set_before(name_of(before));
  noted.set_after(name_of(after.state()) + " " + after.tool() + " by policy " +
                  after.policy_version().substr(0, 12));
  return note_operator_action(database_, noted, now);
}

Result<pb::Approval> ApprovalBook::request(const pb::RequestApprovalRequest& request,
                                           const std::string& host_id, WallTime now) {
  pb::Approval wanted = request.approval();
  AISPM_CHECK(check_wanted(wanted));
  if (request.valid_seconds() > kMaxSeconds) return wrong("valid_seconds", "at most 604800");
  const std::uint32_t seconds =
      request.valid_seconds() == 0 ? kDefaultSeconds : request.valid_seconds();
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_TRY(const auto same, find_same(wanted, now));
  if (same) {
    AISPM_CHECK(run_sql(database_, "INSERT OR IGNORE INTO approval_hosts VALUES (?,?)", same->id(),
                        host_id));
    AISPM_CHECK(transaction.commit());
    return *same;
  }
  AISPM_CHECK(check_room(wanted, now));
  wanted.set_id(make_uuid());
  wanted.set_host_id(host_id);
  wanted.set_state(pb::APPROVAL_STATE_PENDING);
  const std::int64_t expires = now.nanoseconds + std::int64_t{seconds} * kSecond;
  set_time(now.nanoseconds, wanted.mutable_created());
  set_time(expires, wanted.mutable_expires());
  wanted.clear_decided();
  wanted.clear_decided_by();
  wanted.clear_decision_reason();
  wanted.clear_used();
  wanted.clear_result();
  const std::string body = wanted.SerializeAsString();
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO approvals (approval_id, agent_id, session_id, digest, state, "
                      "body, expires, changed) VALUES (?,?,?,?,?,?,?,?)",
                      wanted.id(), wanted.agent_id(), wanted.session_id(), wanted.digest(),
                      static_cast<int>(wanted.state()), Blob{body}, expires, now.nanoseconds));
  AISPM_CHECK(run_sql(database_, "INSERT INTO approval_hosts VALUES (?,?)", wanted.id(), host_id));
  AISPM_CHECK(store(wanted, now));
  AISPM_CHECK(transaction.commit());
  return wanted;
}

Result<pb::Approval> ApprovalBook::use(const pb::UseApprovalRequest& request,
                                       const std::string& host_id, WallTime now) {
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_TRY(pb::Approval approval, get(request.approval_id(), now));
  if (approval.digest() != request.digest() || approval.agent_id() != request.agent_id())
    return fail(Errc::kDenied, "this approval is for another action");
  if (approval.state() != pb::APPROVAL_STATE_APPROVED)
    return fail(Errc::kDenied, "this approval is " + name_of(approval.state()));
  approval.set_state(pb::APPROVAL_STATE_USED);
  set_time(now.nanoseconds, approval.mutable_used());
  AISPM_CHECK(store(approval, now));
  AISPM_CHECK(note(approval, pb::APPROVAL_STATE_APPROVED, "gateway on " + host_id, "approval.use",
                   "", now));
  AISPM_CHECK(transaction.commit());
  return approval;
}

Result<pb::Approval> ApprovalBook::decide(const pb::DecideApprovalRequest& request,
                                          const Approver& who, WallTime now) {
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_TRY(pb::Approval approval, get(request.approval_id(), now));
  const pb::ApprovalState before = approval.state();
  if (!is_open(before))
    return fail(Errc::kInvalid, "nobody is asked any more: it is " + name_of(before));
  AISPM_CHECK(check_who(who, approval));
  AISPM_CHECK(check_answer(request, approval, who));
  approval.set_state(state_after(request.answer()));
  if (request.answer() == pb::APPROVAL_ANSWER_ESCALATE &&
      approval.approver_role() != request.role()) {
    approval.set_approver_role(request.role());
    // Whoever is told of approvals (NoticeBox) looks at it anew.
    AISPM_CHECK(run_sql(database_, "UPDATE approvals SET asking=asking+1 WHERE approval_id=?",
                        approval.id()));
  }
  if (request.answer() == pb::APPROVAL_ANSWER_FINISH) {
    approval.set_result(request.result());
    set_time(now.nanoseconds, approval.mutable_used());
  }
  set_time(now.nanoseconds, approval.mutable_decided());
  approval.set_decided_by(who.name);
  approval.set_decision_reason(request.reason());
  AISPM_CHECK(store(approval, now));
  AISPM_CHECK(
      note(approval, before, who.name, action_name(request.answer()), request.reason(), now));
  AISPM_CHECK(transaction.commit());
  return approval;
}

Result<pb::Approval> ApprovalBook::get(std::string_view approval_id, WallTime now) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT body FROM approvals WHERE approval_id=?"));
  AISPM_TRY(const bool is_row, find->bind(approval_id).step());
  if (!is_row) return fail(Errc::kNotFound, "no approval has that id");
  auto approval = read(*find, 0, now);
  find->reset();
  return approval;
}

Result<pb::ApprovalList> ApprovalBook::list(const pb::ListApprovalsRequest& request, WallTime now) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const std::uint32_t limit, page_limit(request.page_size()));
  AISPM_TRY(const auto after, PageToken::decode(request.page_token()));
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT ref, body FROM approvals WHERE (?1 OR (state IN (1,6,7) AND "
                             "expires>?2)) AND (?3='' OR agent_id=?3) AND (?4 OR ref<?5) "
                             "ORDER BY ref DESC LIMIT ?6"));
  find->bind(request.with_past(), now.nanoseconds, request.agent_id(), !after,
             after ? after->ref : 0, limit + 1);
  pb::ApprovalList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, limit, 0, 0, [&](const Statement& row) -> Result<> {
              AISPM_TRY(*list.add_approvals(), read(row, 1, now));
              return {};
            }));
  return list;
}

Result<pb::ApprovalSnapshot> ApprovalBook::snapshot_for(const std::string& host_id, WallTime now) {
  pb::ApprovalSnapshot snapshot;
  AISPM_TRY(const std::uint64_t version, read_counter(database_, "approval_version"));
  snapshot.set_version(version);
  AISPM_TRY(Statement* const find,
            database_.cached(
                "SELECT a.body FROM approval_hosts h JOIN approvals a USING (approval_id) WHERE "
                "h.host_id=?1 AND (a.changed>?2 OR (a.state IN (1,2,6,7) AND a.expires>?3)) "
                "ORDER BY a.state IN (1,2,6,7) DESC, a.ref DESC LIMIT ?4"));
  find->bind(host_id, now.nanoseconds - kRecent, now.nanoseconds, kMaxSnapshot);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return snapshot;
    AISPM_TRY(*snapshot.add_approvals(), read(*find, 0, now));
  }
}

Result<std::uint64_t> forget_approvals(Database& database, WallTime oldest, WallTime now,
                                       std::uint32_t limit) {
  AISPM_TRY(Statement* const find,
            database.cached("SELECT approval_id FROM approvals WHERE changed<?1 AND expires<?1 "
                            "ORDER BY changed LIMIT ?2"));
  find->bind(oldest.nanoseconds, limit);
  std::vector<std::string> ids;
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) break;
    ids.push_back(find->text(0));
  }
  for (const std::string& id : ids)
    for (const char* const sql : {"DELETE FROM approval_links WHERE approval_id=?",
                                  "DELETE FROM approval_hosts WHERE approval_id=?",
                                  "DELETE FROM approvals WHERE approval_id=?"})
      AISPM_CHECK(run_sql(database, sql, id));
  if (ids.empty()) return 0;
  pb::OperatorAction noted;
  noted.set_who("retention");
  noted.set_action("approval.forget");
  noted.set_target(std::to_string(ids.size()) + " approvals");
  noted.set_reason("they ended longer ago than retention.max_age");
  AISPM_CHECK(note_operator_action(database, noted, now));
  return ids.size();
}

}  // namespace aispm::collector::store
