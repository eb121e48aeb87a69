// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/reader.hpp"

namespace aispm::collector::store {

// Of a process `p`: nobody registered it, and no sandbox, whose only way out is the gateway, holds
// it.
inline const std::string kIsShadow =
    "(IFNULL(p.sanctioned, 0)=0 AND NOT EXISTS "
    "(SELECT 1 FROM sessions s WHERE s.ref=p.session AND s.launch IS NOT NULL))";

// Of an agent `a`: something is its. A sensor may have named what it saw before the run's start
// came, which then took those events for the run's own agent.
inline const std::string kHasDone =
    "(a.llm_calls>0 OR EXISTS (SELECT 1 FROM sessions s WHERE s.agent=a.ref) OR EXISTS "
    "(SELECT 1 FROM events e WHERE e.agent=a.ref))";

// A list request made ready for SQL: `LIKE ? ESCAPE '\'` for the query, and the place to go on
// from.
struct Page {
  std::string like;
  std::uint32_t limit = 0;
  bool is_first = true;
  PageToken after;

  // Any list request: page_size, page_token and query.
  template <typename Request>
  static Result<Page> of(const Request& request) {
    return make(request.page_size(), request.page_token(), request.query());
  }
  static Result<Page> make(std::uint32_t page_size, std::string_view page_token,
                           std::string_view query);
};

// Runs `find` (bound, ordered, with one row more than the page) and calls `add(row)` for each row
// of the page. `sort_column` and `ref_column` say where the row's place is. Returns the token of
// the next page, or empty.
template <typename Add>
Result<std::string> read_page(Statement& find, std::uint32_t limit, int sort_column, int ref_column,
                              Add add) {
  PageToken last;
  for (std::uint32_t count = 0;; ++count) {
    AISPM_TRY(const bool is_row, find.step());
    if (!is_row) return std::string();
    if (count == limit) {
      find.reset();
      return last.encode();
    }
    last = {find.text(sort_column), find.integer(ref_column)};
    AISPM_CHECK(add(std::as_const(find)));
  }
}

// Ends statements of this scope after kQueryDeadline.
class QueryDeadline {
 public:
  explicit QueryDeadline(Database& database) : database_(database) {
    database_.set_deadline(limits::kQueryDeadline);
  }
  QueryDeadline(const QueryDeadline&) = delete;
  QueryDeadline& operator=(const QueryDeadline&) = delete;
  ~QueryDeadline() { database_.set_deadline(std::nullopt); }

 private:
  Database& database_;
};

}  // namespace aispm::collector::store
