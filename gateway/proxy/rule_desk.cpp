// SPDX-License-Identifier: Apache-2.0
// One thread's view of the rules.
#include "gateway/proxy/rule_book.hpp"

namespace aispm::gateway {
namespace {

// Tells books apart for as long as they live: the book in force holds all that belong to it. Names
// do not: agents without a tenant may have a book of their own beside everybody's.
std::string address_of(const RuleBook& book) {
  return std::to_string(reinterpret_cast<std::uintptr_t>(&book)) + " ";
}

}  // namespace

Result<RuleDesk::Rules> RuleDesk::open(std::shared_ptr<const RuleBook> book) const {
  AISPM_TRY(detect::Scratch scratch, book->engine->make_scratch());
  Rules rules;
  rules.bench = std::make_shared<Workbench>(Workbench{std::move(scratch), {}, {}});
  rules.book = std::move(book);
  return rules;
}

Result<RuleDesk::Rules> RuleDesk::rules(std::string_view tenant, std::string_view additions) {
  if (!rules_.book || rules_.book->generation != shelf_.generation()) {
    auto next = shelf_.current();
    if (!next) return fail(Errc::kUnavailable, "the detection rules are being loaded");
    AISPM_TRY(rules_, open(std::move(next)));
    of_some_.clear();
    tables_.clear();
  }
  std::shared_ptr<const RuleBook> book = rules_.book;
  if (!additions.empty()) {
    const auto bundle = book->bundles.find(additions);
    if (bundle == book->bundles.end())
      return fail(Errc::kUnavailable, "the policy's detection rules are being loaded");
    book = bundle->second;
  }
  const auto own = book->tenants.find(tenant);
  if (own != book->tenants.end()) book = own->second;
  if (book == rules_.book) return rules_;
  const std::string key = address_of(*book);
  if (const auto known = of_some_.find(key); known != of_some_.end()) return known->second;
  AISPM_TRY(Rules opened, open(std::move(book)));
  return of_some_.emplace(key, std::move(opened)).first->second;
}

std::shared_ptr<const OutcomeTables> RuleDesk::tables(const RuleBook& book,
                                                      const policy::Context& context) {
  if (book.for_all) return book.for_all;
  std::string key = address_of(book);
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
