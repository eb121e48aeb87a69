// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/notice_box.hpp"

namespace aispm::collector::store {
namespace {

// `state`s in which somebody may still answer: PENDING, ESCALATED, TAKEN_OVER.
constexpr const char* kDropUntried =
    "UPDATE approvals SET notice_due=NULL WHERE notice_due IS NOT NULL AND notice_tries=0 AND "
    "(state NOT IN (1,6,7) OR expires<=?)";
constexpr const char* kDropTried =
    "UPDATE approvals SET notice_due=NULL WHERE notice_due IS NOT NULL AND notice_tries>0 AND "
    "(state NOT IN (1,6,7) OR expires<=?)";

}  // namespace

Result<std::uint64_t> NoticeBox::drop_closed(WallTime now) {
  AISPM_CHECK(run_sql(database_, kDropUntried, now.nanoseconds));
  AISPM_CHECK(run_sql(database_, kDropTried, now.nanoseconds));
  return static_cast<std::uint64_t>(database_.changes());
}

Result<std::optional<DueNotice>> NoticeBox::next(WallTime now) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT ref, notice_tries, body FROM approvals WHERE notice_due<=? "
                             "ORDER BY notice_due LIMIT 1"));
  AISPM_TRY(const bool is_row, find->bind(now.nanoseconds).step());
  if (!is_row) return std::optional<DueNotice>();
  DueNotice notice;
  notice.ref = find->integer(0);
  notice.tries = static_cast<int>(find->integer(1));
  const std::string_view body = find->blob(2);
  const bool is_read = notice.approval.ParseFromArray(body.data(), static_cast<int>(body.size()));
  find->reset();
  if (!is_read) return fail(Errc::kInternal, "store: an approval cannot be read");
  return std::optional<DueNotice>(std::move(notice));
}

Result<> NoticeBox::mark_taken(std::int64_t ref) {
  return run_sql(database_, "UPDATE approvals SET notice_due=NULL WHERE ref=?", ref);
}

Result<> NoticeBox::put_off(std::int64_t ref, WallTime until) {
  return run_sql(database_,
                 "UPDATE approvals SET notice_due=?, notice_tries=notice_tries+1 WHERE ref=? AND "
                 "notice_due IS NOT NULL",
                 until.nanoseconds, ref);
}

Result<NoticeBox::Waiting> NoticeBox::waiting() {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT COUNT(*), MIN(notice_due) FROM approvals WHERE notice_due IS "
                             "NOT NULL"));
  AISPM_TRY(const bool is_row, find->step());
  Waiting waiting;
  if (is_row) {
    waiting.count = find->count(0);
    if (!find->is_null(1)) waiting.due = WallTime{find->integer(1)};
  }
  find->reset();
  return waiting;
}

}  // namespace aispm::collector::store
