// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/approval_links.hpp"

#include <algorithm>
#include <sstream>

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/operator_log.hpp"
#include "gateway/collector/store/registry.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/hmac.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kMaxRoles = 16;
constexpr std::size_t kMaxTokenBytes = 256;

Result<> missing() {
  return fail(Errc::kNotFound, "this link was used, has expired or was never made");
}

bool is_role(const std::string& role) {
  return !role.empty() && role.size() <= 64 && std::ranges::all_of(role, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

Result<std::string> join_roles(const std::vector<std::string>& roles) {
  if (roles.size() > kMaxRoles) return fail(Errc::kInvalid, "roles: more than 16");
  std::string text;
  for (const std::string& role : roles) {
    if (!is_role(role))
      return fail(Errc::kInvalid, "roles: `" + role + "`: allowed are a-z 0-9 _ -");
    text += (text.empty() ? "" : " ") + role;
  }
  return text;
}

std::vector<std::string> split_roles(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> roles;
  for (std::string role; words >> role;) roles.push_back(role);
  return roles;
}

std::string ApprovalLinks::token_of(const std::string& link_id, const std::string& approval_id,
                                    const std::string& person, const std::string& roles,
                                    std::int64_t expires) const {
  std::string said = "aispm-link 1";
  for (const std::string& part : {link_id, approval_id, person, roles, std::to_string(expires)})
    said += "\n" + std::to_string(part.size()) + " " + part;
  return link_id + "." + hmac_sha256_hex(key_, said);
}

Result<pb::ApprovalLink> ApprovalLinks::create(const pb::CreateApprovalLinkRequest& request,
                                               const Approver& by, WallTime now) {
  const std::string& person = request.person();
  if (person.empty() || person.size() > 128 ||
      std::ranges::any_of(person, [](char c) { return c <= ' ' || c == 0x7f; }))
    return fail(Errc::kInvalid, "person: 1 to 128 characters without spaces are needed");
  AISPM_TRY(const std::string roles, join_roles({request.roles().begin(), request.roles().end()}));
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  ApprovalBook book(database_);
  AISPM_TRY(const pb::Approval approval, book.get(request.approval_id(), now));
  if (!is_open(approval.state()))
    return fail(Errc::kInvalid, "nobody is asked any more: it is " + name_of(approval.state()));
  // Nobody gives away what is not theirs, and whoever asked could follow the link as anybody.
  if (is_requester(by, approval))
    return fail(Errc::kDenied, "whoever asked for it may not make a link: " + by.person);
  if (by.role < Role::kAdmin)
    for (const std::string& role : request.roles())
      if (std::ranges::find(by.roles, role) == by.roles.end())
        return fail(Errc::kDenied, "roles: only an admin, or who has it, gives away " + role);
  AISPM_TRY(Statement* const count,
            database_.cached("SELECT COUNT(*) FROM approval_links WHERE approval_id=?"));
  AISPM_TRY(const bool is_row, count->bind(approval.id()).step());
  const std::size_t made = is_row ? count->count(0) : 0;
  count->reset();
  if (made >= kMaxLinksOfOne) return fail(Errc::kExhausted, "this approval has 32 links already");
  std::int64_t expires = approval.expires().seconds() * kSecond + approval.expires().nanos();
  if (request.valid_seconds() > 0)
    expires = std::min(expires, now.nanoseconds + std::int64_t{request.valid_seconds()} * kSecond);
  const std::string link_id = make_token(16);
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO approval_links (link_id, approval_id, person, roles, expires, "
                      "made_by) VALUES (?,?,?,?,?,?)",
                      link_id, approval.id(), person, roles, expires, by.name));
  pb::OperatorAction made_link;
  made_link.set_who(by.name);
  made_link.set_action("approval.link");
  made_link.set_target(approval.id());
  made_link.set_after("for " + person + (roles.empty() ? "" : " as " + roles));
  AISPM_CHECK(note_operator_action(database_, made_link, now));
  AISPM_CHECK(transaction.commit());
  pb::ApprovalLink link;
  link.set_path("/approve/" + token_of(link_id, approval.id(), person, roles, expires));
  set_time(expires, link.mutable_expires());
  return link;
}

Result<ApprovalLinks::Shown> ApprovalLinks::open(std::string_view token, WallTime now) {
  const auto dot = token.find('.');
  if (token.size() > kMaxTokenBytes || dot == std::string_view::npos)
    return fail(missing().error());
  const std::string link_id(token.substr(0, dot));
  AISPM_TRY(
      Statement* const find,
      database_.cached("SELECT approval_id, person, roles, expires, made_by FROM approval_links "
                       "WHERE link_id=? AND used IS NULL AND expires>?"));
  AISPM_TRY(const bool is_row, find->bind(link_id, now.nanoseconds).step());
  if (!is_row) return fail(missing().error());
  const std::string approval_id = find->text(0);
  const std::string person = find->text(1);
  const std::string roles = find->text(2);
  const std::int64_t expires = find->integer(3);
  const std::string made_by = find->text(4);
  find->reset();
  if (!equal_in_constant_time(token, token_of(link_id, approval_id, person, roles, expires)))
    return fail(missing().error());
  Shown shown;
  AISPM_TRY(shown.approval, ApprovalBook(database_).get(approval_id, now));
  shown.who = {.name = "link:" + person + ", made by " + made_by,
               .person = person,
               .role = Role::kOperator,
               .roles = split_roles(roles)};
  return shown;
}

Result<pb::Approval> ApprovalLinks::answer(std::string_view token,
                                           pb::DecideApprovalRequest request, WallTime now) {
  AISPM_TRY(const Shown shown, open(token, now));
  request.set_approval_id(shown.approval.id());
  if (request.answer() != pb::APPROVAL_ANSWER_APPROVE &&
      request.answer() != pb::APPROVAL_ANSWER_DENY)
    return fail(Errc::kInvalid, "a link approves or denies");
  const std::string link_id(token.substr(0, token.find('.')));
  // First of all, and in one statement: of two who follow it at once only one goes on.
  AISPM_CHECK(run_sql(database_,
                      "UPDATE approval_links SET used=? WHERE link_id=? AND used IS NULL",
                      now.nanoseconds, link_id));
  if (database_.changes() != 1) return fail(missing().error());
  auto decided = ApprovalBook(database_).decide(request, shown.who, now);
  if (!decided)
    AISPM_CHECK(run_sql(database_, "UPDATE approval_links SET used=NULL WHERE link_id=?", link_id));
  return decided;
}

}  // namespace aispm::collector::store
