// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/rule_book.hpp"

#include "sdk/core/common/log.hpp"

namespace aispm::gateway {
namespace {

using policy::Direction;

OutcomeTables::Table make_table(const RuleBook& book, const policy::Context& context,
                                Direction direction, detect::Surface surface) {
  std::vector<policy::Fact> facts;
  facts.reserve(book.engine->rules().size());
  for (const detect::Rule& rule : book.engine->rules())
    facts.push_back({.rule_id = rule.id,
                     .category = detect::name_of(rule.category),
                     .severity = rule.severity_on(surface),
                     .confidence = rule.confidence_on(surface),
                     .surface = detect::name_of(surface)});
  return std::make_shared<const detect::Outcomes>(book.policy->outcomes(context, direction, facts));
}

bool withholds(model::Outcome outcome) {
  return outcome == model::Outcome::kRedact || outcome == model::Outcome::kDeny;
}

OutcomeTables::Table without_weak(const RuleBook& book, const detect::Outcomes& outcomes,
                                  detect::Surface surface) {
  auto table = std::make_shared<detect::Outcomes>(outcomes);
  for (std::size_t i = 0; i < table->size(); ++i)
    if (withholds((*table)[i]) &&
        book.engine->rules()[i].confidence_on(surface) < detect::kStandsAlone)
      (*table)[i] = model::Outcome::kAllow;
  return table;
}

}  // namespace

std::shared_ptr<const OutcomeTables> RuleBook::make_tables(const policy::Context& context) const {
  auto tables = std::make_shared<OutcomeTables>();
  for (std::size_t i = 0; i < detect::kSurfaceCount; ++i) {
    const auto surface = static_cast<detect::Surface>(i);
    tables->request[i] = make_table(*this, context, Direction::kRequest, surface);
    tables->reply[i] = make_table(*this, context, Direction::kReply, surface);
    tables->stream[i] = without_weak(*this, *tables->reply[i], surface);
  }
  auto sealed = std::make_shared<detect::Outcomes>(tables->of_reply(detect::Surface::kReply));
  for (model::Outcome& outcome : *sealed)
    if (outcome == model::Outcome::kRedact) outcome = model::Outcome::kDeny;
  tables->sealed_stream = without_weak(*this, *sealed, detect::Surface::kReply);
  tables->sealed_reply = std::move(sealed);
  return tables;
}

Result<std::shared_ptr<const RuleBook>> RuleBook::load(const std::string& pack_folder,
                                                       const std::string& policy_file,
                                                       detect::DatabaseCache* cache) {
  auto book = std::make_shared<RuleBook>();
  AISPM_TRY(book->engine, detect::Engine::open(pack_folder, cache));
  AISPM_TRY(book->policy, policy::Policy::load(policy_file));
  if (book->policy->same_for_all(Direction::kRequest) &&
      book->policy->same_for_all(Direction::kReply))
    book->for_all = book->make_tables({});
  return book;
}

Result<> RuleShelf::reload() {
  if (!cache_folder_.empty() && !is_cache_open_) {
    if (auto opened = detect::DatabaseCache::open(cache_folder_)) {
      cache_ = std::move(*opened);
      is_cache_open_ = true;
    } else {
      log::warn("packs.not_cached", {{"reason", opened.error().message}});
    }
  }
  AISPM_TRY(const std::shared_ptr<const RuleBook> loaded,
            RuleBook::load(pack_folder_, policy_file_, &cache_));
  const detect::DatabaseCache::Counts& counts = cache_.counts();
  log::info("packs.loaded", {{"from_cache", counts.loaded},
                             {"compiled", counts.compiled},
                             {"damaged", counts.damaged},
                             {"not_kept", counts.unwritten}});
  auto numbered = std::make_shared<RuleBook>(*loaded);
  numbered->cache = counts;
  numbered->generation = generation() + 1;
  current_.store(numbered, std::memory_order_release);
  generation_.store(numbered->generation, std::memory_order_release);
  return {};
}

Result<RuleDesk::Rules> RuleDesk::rules() {
  if (rules_.book && rules_.book->generation == shelf_.generation()) return rules_;
  auto next = shelf_.current();
  if (!next) return fail(Errc::kUnavailable, "the detection rules are being loaded");
  AISPM_TRY(detect::Scratch scratch, next->engine->make_scratch());
  rules_.bench = std::make_shared<Workbench>(Workbench{std::move(scratch), {}, {}});
  rules_.book = std::move(next);
  tables_.clear();
  return rules_;
}

std::shared_ptr<const OutcomeTables> RuleDesk::tables(const RuleBook& book,
                                                      const policy::Context& context) {
  if (book.for_all) return book.for_all;
  std::string key;
  key.reserve(context.agent.size() + context.provider.size() + context.model.size() + 2);
  key.append(context.agent)
      .append(1, '\0')
      .append(context.provider)
      .append(1, '\0')
      .append(context.model);
  if (const auto known = tables_.find(key); known != tables_.end()) return known->second;
  if (tables_.size() >= kMaxTables) tables_.clear();  // bounded: callers choose model names
  return tables_.emplace(std::move(key), book.make_tables(context)).first->second;
}

}  // namespace aispm::gateway
