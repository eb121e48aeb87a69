// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/redteam/report.hpp"

#include <boost/json.hpp>

namespace aispm::collector::redteam {
namespace {

namespace json = boost::json;

// Down a path of members; null where one is missing.
const json::value* at(const json::value* value, std::initializer_list<std::string_view> path) {
  for (const std::string_view name : path) {
    const auto* object = value ? value->if_object() : nullptr;
    value = object ? object->if_contains(name) : nullptr;
  }
  return value;
}

std::uint64_t number(const json::value* value) {
  if (value == nullptr) return 0;
  if (const auto* whole = value->if_int64())
    return *whole < 0 ? 0 : static_cast<std::uint64_t>(*whole);
  if (const auto* whole = value->if_uint64()) return *whole;
  return 0;
}

void read_share(const json::value* share, std::string_view name, aispm::v1::RedTeamShare& out) {
  out.set_name(std::string(name));
  out.set_hits(number(at(share, {"hits"})));
  out.set_of(number(at(share, {"of"})));
}

// The members of an object, or nothing.
const json::object& members(const json::value* value) {
  static const json::object none;
  return value && value->is_object() ? value->get_object() : none;
}

// Tables of found secrets or entities, as one.
void add_found(const json::value* table, std::string_view name, aispm::v1::RedTeamRun& run) {
  aispm::v1::RedTeamShare sum;
  sum.set_name(std::string(name));
  for (const auto& one : members(table)) {
    sum.set_hits(sum.hits() + number(at(&one.value(), {"found", "hits"})));
    sum.set_of(sum.of() + number(at(&one.value(), {"found", "of"})));
  }
  if (sum.of() > 0) *run.add_categories() = sum;
}

}  // namespace

Result<> read_report(std::string_view text, aispm::v1::RedTeamRun& run) {
  boost::system::error_code error;
  const json::value report = json::parse(json::string_view(text.data(), text.size()), error);
  const json::value* figures = error ? nullptr : at(&report, {"figures"});
  if (figures == nullptr || !figures->is_object())
    return fail(Errc::kInternal, "the report of the run is none");
  if (const auto* gateway = at(&report, {"gateway"}); gateway && gateway->is_string())
    run.set_gateway(std::string(gateway->get_string()));
  if (const auto* seconds = at(&report, {"seconds"}); seconds && seconds->is_number())
    run.set_seconds(seconds->to_number<double>());
  read_share(at(figures, {"attacks", "all", "flagged"}), "attacks", *run.mutable_found());
  read_share(at(figures, {"false_positives", "all", "flagged"}), "harmless",
             *run.mutable_false_positives());
  run.clear_categories();
  for (const auto& one : members(at(figures, {"by_category"})))
    read_share(at(&one.value(), {"flagged"}), one.key(), *run.add_categories());
  add_found(at(figures, {"secrets"}), "secret", run);
  add_found(at(figures, {"pii"}), "pii", run);
  std::uint64_t unjudged = 0;
  for (const auto& one : members(at(&report, {"unjudged"}))) unjudged += number(&one.value());
  run.set_unjudged(unjudged);
  return {};
}

Result<> read_corpus(std::string_view text, aispm::v1::RedTeamCorpus& corpus) {
  boost::system::error_code error;
  const json::value said = json::parse(json::string_view(text.data(), text.size()), error);
  const json::value* sets = error ? nullptr : at(&said, {"sets"});
  if (sets == nullptr || !sets->is_array() || sets->get_array().size() != 1)
    return fail(Errc::kInternal, "`aispm redteam corpus` gave no description");
  const json::value& one = sets->get_array().front();
  corpus.set_rows(number(at(&one, {"rows"})));
  corpus.clear_licences();
  if (const auto* licences = at(&one, {"licences"}); licences && licences->is_array())
    for (const json::value& licence : licences->get_array())
      if (licence.is_string()) corpus.add_licences(std::string(licence.get_string()));
  return {};
}

}  // namespace aispm::collector::redteam
