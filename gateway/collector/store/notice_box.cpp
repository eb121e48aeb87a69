// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/notice_box.hpp"

#include <algorithm>

namespace aispm::collector::store {
namespace {

// `state`s in which somebody may still answer: PENDING, ESCALATED, TAKEN_OVER.
constexpr const char* kDropTried =
    "DELETE FROM approval_notices WHERE receiver=? AND due IS NOT NULL AND tries>0 AND approval_id "
    "NOT IN (SELECT approval_id FROM approvals WHERE state IN (1,6,7) AND expires>?)";
constexpr const char* kDropOthers =
    "DELETE FROM approval_notices WHERE receiver=? AND approval_id NOT IN (SELECT approval_id FROM "
    "approvals WHERE state IN (1,6,7) AND expires>?)";
// What a row says of an asking before the present one only tells whether the receiver knows of it.
constexpr const char* kNext =
    "SELECT IIF(n.asking=a.asking,n.tries,0), a.body, a.asking, COALESCE(n.told,0) FROM approvals "
    "a "
    "LEFT JOIN approval_notices n ON n.approval_id=a.approval_id AND n.receiver=? WHERE a.state IN "
    "(1,6,7) AND a.expires>? AND (n.approval_id IS NULL OR n.asking<a.asking OR n.due<=?) ORDER BY "
    "IIF(n.asking=a.asking,n.due,0), a.ref LIMIT 1";
// Those that were never tried are due at once.
constexpr const char* kWaiting =
    "SELECT COUNT(*), MIN(IIF(n.asking=a.asking,n.due,0)) FROM approvals a LEFT JOIN "
    "approval_notices n ON n.approval_id=a.approval_id AND n.receiver=? WHERE a.state IN (1,6,7) "
    "AND a.expires>? AND (n.approval_id IS NULL OR n.asking<a.asking OR n.due IS NOT NULL)";
constexpr const char* kSettle =
    "INSERT INTO approval_notices (receiver, approval_id, due, asking, told) VALUES (?,?,NULL,?,?) "
    "ON CONFLICT DO UPDATE SET due=NULL, tries=0, asking=excluded.asking, told=excluded.told";
constexpr const char* kPutOff =
    "INSERT INTO approval_notices (receiver, approval_id, due, asking, tries) VALUES (?,?,?,?,1) "
    "ON "
    "CONFLICT DO UPDATE SET due=excluded.due, tries=IIF(asking=excluded.asking,tries,0)+1, "
    "asking=excluded.asking";

}  // namespace

Result<std::uint64_t> NoticeBox::drop_closed(WallTime now) {
  AISPM_CHECK(run_sql(database_, kDropTried, receiver_, now.nanoseconds));
  const auto tried = static_cast<std::uint64_t>(database_.changes());
  AISPM_CHECK(run_sql(database_, kDropOthers, receiver_, now.nanoseconds));
  return tried;
}

Result<std::optional<DueNotice>> NoticeBox::next(WallTime now) {
  AISPM_TRY(Statement* const find, database_.cached(kNext));
  AISPM_TRY(const bool is_row, find->bind(receiver_, now.nanoseconds, now.nanoseconds).step());
  if (!is_row) return std::optional<DueNotice>();
  DueNotice notice;
  notice.tries = static_cast<int>(find->integer(0));
  notice.asking = find->integer(2);
  notice.was_told = find->integer(3) != 0;
  const std::string_view body = find->blob(1);
  const bool is_read = notice.approval.ParseFromArray(body.data(), static_cast<int>(body.size()));
  find->reset();
  if (!is_read) return fail(Errc::kInternal, "store: an approval cannot be read");
  return std::optional<DueNotice>(std::move(notice));
}

Result<> NoticeBox::mark_taken(const DueNotice& notice) {
  return run_sql(database_, kSettle, receiver_, notice.approval.id(), notice.asking, 1);
}

Result<> NoticeBox::mark_unwanted(const DueNotice& notice) {
  return run_sql(database_, kSettle, receiver_, notice.approval.id(), notice.asking, 0);
}

Result<> NoticeBox::forget_unwanted() {
  return run_sql(database_,
                 "DELETE FROM approval_notices WHERE receiver=? AND due IS NULL AND told=0",
                 receiver_);
}

Result<> NoticeBox::put_off(const DueNotice& notice, WallTime until) {
  return run_sql(database_, kPutOff, receiver_, notice.approval.id(), until.nanoseconds,
                 notice.asking);
}

Result<NoticeBox::Waiting> NoticeBox::waiting(WallTime now) {
  AISPM_TRY(Statement* const find, database_.cached(kWaiting));
  AISPM_TRY(const bool is_row, find->bind(receiver_, now.nanoseconds).step());
  Waiting waiting;
  if (is_row) {
    waiting.count = find->count(0);
    if (waiting.count > 0) waiting.due = WallTime{find->integer(1)};
  }
  find->reset();
  return waiting;
}

Result<> NoticeBox::forget_others(Database& database, const std::vector<std::string>& receivers) {
  std::vector<std::string> known;
  AISPM_TRY(Statement* const list,
            database.cached("SELECT DISTINCT receiver FROM approval_notices"));
  while (true) {
    AISPM_TRY(const bool is_row, list->step());
    if (!is_row) break;
    known.emplace_back(list->text(0));
  }
  list->reset();
  for (const std::string& name : known)
    if (std::find(receivers.begin(), receivers.end(), name) == receivers.end())
      AISPM_CHECK(run_sql(database, "DELETE FROM approval_notices WHERE receiver=?", name));
  return {};
}

}  // namespace aispm::collector::store
