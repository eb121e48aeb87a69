// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/rule_book.hpp"

#include <algorithm>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/detect/bundle_rules.hpp"
#include "sdk/core/detect/pack.hpp"
#include "sdk/core/policy/strictness.hpp"

namespace aispm::gateway {
namespace {

using policy::Direction;

// What is not looked for (kUnspecified) stays so.
void apply_guardrails(const RuleBook& book, Direction direction,
                      const std::vector<policy::Fact>& facts, detect::Outcomes& outcomes) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i] == model::Outcome::kUnspecified) continue;
    if (book.guardrails->is_elsewhere(direction, facts[i].rule_id)) {
      outcomes[i] = model::Outcome::kUnspecified;
      continue;
    }
    const auto said = book.guardrails->judge(direction, facts[i], book.policy->default_mode());
    if (said && policy::strictness(said->applied) > policy::strictness(outcomes[i]))
      outcomes[i] = said->applied;
  }
}

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
  auto outcomes =
      std::make_shared<detect::Outcomes>(book.policy->outcomes(context, direction, facts));
  if (!book.own.layers[static_cast<std::size_t>(detect::Layer::kRules)])
    std::fill(outcomes->begin(), outcomes->end(), model::Outcome::kUnspecified);
  if (book.guardrails) apply_guardrails(book, direction, facts, *outcomes);
  const std::vector<std::string>& wanted = book.own.pii_entities;
  if (wanted.empty()) return outcomes;
  for (std::size_t i = 0; i < outcomes->size(); ++i) {
    const detect::Rule& rule = book.engine->rules()[i];
    if (rule.category == detect::Category::kPii &&
        std::find(wanted.begin(), wanted.end(), rule.entity) == wanted.end())
      (*outcomes)[i] = model::Outcome::kUnspecified;
  }
  return outcomes;
}

bool withholds(model::Outcome outcome) {
  return outcome == model::Outcome::kRedact || outcome == model::Outcome::kDeny;
}

OutcomeTables::Table without_weak(const RuleBook& book, const detect::Outcomes& outcomes,
                                  detect::Surface surface) {
  auto table = std::make_shared<detect::Outcomes>(outcomes);
  for (std::size_t i = 0; i < table->size(); ++i)
    if (withholds((*table)[i]) && book.engine->rules()[i].is_weak_on(surface))
      (*table)[i] = model::Outcome::kAllow;
  return table;
}

// The shipped packs, and the gateway's own beside them.
Result<detect::RuleSet> load_with(const std::string& pack_folder, const std::string& own_pack) {
  AISPM_TRY(detect::RuleSet rules, detect::load_packs(pack_folder));
  if (own_pack.empty()) return rules;
  AISPM_CHECK(detect::parse_pack(own_pack, "detect.leaks", rules));
  rules.version = sha256_hex(rules.version + sha256_hex(own_pack));
  return rules;
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

Result<std::shared_ptr<const RuleBook>> RuleBook::load(
    const std::string& pack_folder, const std::string& policy_file, detect::DatabaseCache* cache,
    const Tenants& tenants, const TenantPacks& packs, const Guardrails& guardrails,
    const std::string& own_pack) {
  auto book = std::make_shared<RuleBook>();
  if (own_pack.empty()) {
    AISPM_TRY(book->engine, detect::Engine::open(pack_folder, cache));
  } else {
    AISPM_TRY(detect::RuleSet rules, load_with(pack_folder, own_pack));
    AISPM_TRY(book->engine, detect::Engine::compile(std::move(rules), cache));
    AISPM_CHECK(book->engine->verify());
  }
  AISPM_TRY(book->policy, policy::Policy::load(policy_file));
  book->make_common_tables();
  Tenants all = tenants;
  for (const auto& given : packs) all.try_emplace(given.first);
  for (const auto& given : guardrails) all.try_emplace(given.first);
  if (all.size() > TenantConfig::kMaxTenants)
    return fail(Errc::kTooLarge, "more than 64 tenants have something of their own");
  for (const auto& [name, tenant] : all) {
    Given given;
    if (const auto pack = packs.find(name); pack != packs.end()) given.pack = pack->second;
    if (const auto own = guardrails.find(name); own != guardrails.end())
      given.guardrails = own->second;
    AISPM_CHECK(book->add_tenant(name, tenant, given, pack_folder, own_pack, cache));
  }
  return book;
}

void RuleBook::make_common_tables() {
  if (policy->same_for_all(Direction::kRequest) && policy->same_for_all(Direction::kReply))
    for_all = make_tables({});
}

Result<> RuleBook::add_tenant(const std::string& name, const TenantConfig& config,
                              const Given& given, const std::string& pack_folder,
                              const std::string& own_pack, detect::DatabaseCache* databases) {
  auto book = std::make_shared<RuleBook>();
  book->tenant = name;
  book->own = config;
  book->policy = policy;
  book->engine = engine;
  book->guardrails = given.guardrails;
  const std::string guardrail_pack = given.guardrails ? given.guardrails->pack() : std::string();
  if (!config.rules_file.empty() || !given.pack.empty() || !guardrail_pack.empty()) {
    AISPM_TRY(detect::RuleSet rules, load_with(pack_folder, own_pack));
    rules.shared_rules = rules.rules.size();
    const auto add_pack = [&](const std::string& pack, const std::string& from) -> Result<> {
      if (pack.size() > TenantConfig::kMaxRulesBytes)
        return fail(Errc::kTooLarge, from + ": larger than 256 KiB");
      AISPM_CHECK(detect::parse_pack(pack, from, rules));
      rules.version = sha256_hex(rules.version + sha256_hex(pack));
      return {};
    };
    if (!config.rules_file.empty()) {
      AISPM_TRY(const std::string pack, read_file(config.rules_file, TenantConfig::kMaxRulesBytes));
      AISPM_CHECK(add_pack(pack, config.rules_file));
    }
    if (!given.pack.empty()) AISPM_CHECK(add_pack(given.pack, "tenant " + name));
    if (!guardrail_pack.empty()) AISPM_CHECK(add_pack(guardrail_pack, "guardrails of " + name));
    AISPM_TRY(book->engine, detect::Engine::compile(std::move(rules), databases));
    AISPM_CHECK(book->engine->verify());
  }
  for (const std::string& entity : config.pii_entities) {
    const auto& all = book->engine->rules();
    if (std::none_of(all.begin(), all.end(), [&](const detect::Rule& rule) {
          return rule.category == detect::Category::kPii && rule.entity == entity;
        }))
      return fail(Errc::kInvalid, "tenant " + name + ": no rule finds `" + entity + "`");
  }
  book->make_common_tables();
  tenants.emplace(name, std::move(book));
  return {};
}

Result<std::shared_ptr<const detect::Engine>> RuleBook::engine_with(
    const policy::DetectPart& part, std::size_t shared_rules,
    detect::DatabaseCache* databases) const {
  detect::RuleSet rules{engine->rules(), engine->thresholds(), engine->version(), shared_rules};
  AISPM_CHECK(detect::add_bundle_rules(part.text, part.path, rules));
  AISPM_TRY(std::shared_ptr<const detect::Engine> made,
            detect::Engine::compile(std::move(rules), databases));
  AISPM_CHECK(made->verify());
  return made;
}

Result<std::shared_ptr<const RuleBook>> RuleBook::with(const policy::DetectPart& part,
                                                       detect::DatabaseCache* databases) const {
  const std::size_t shared_rules = engine->rules().size();
  auto book = std::make_shared<RuleBook>(*this);
  book->bundles.clear();
  book->additions = part.digest;
  book->for_all = nullptr;
  AISPM_TRY(book->engine, engine_with(part, shared_rules, databases));
  book->make_common_tables();
  for (auto& [name, before] : book->tenants) {
    auto after = std::make_shared<RuleBook>(*before);
    after->additions = part.digest;
    after->for_all = nullptr;
    if (before->engine == engine) {
      after->engine = book->engine;
    } else {
      AISPM_TRY(after->engine, before->engine_with(part, shared_rules, databases));
    }
    after->make_common_tables();
    before = std::move(after);
  }
  return std::shared_ptr<const RuleBook>(std::move(book));
}

std::size_t RuleBook::count_engines() const {
  std::size_t count = 1;
  for (const auto& [name, one] : tenants) count += one->engine == engine ? 0 : 1;
  for (const auto& [digest, book] : bundles) count += book->count_engines();
  return count;
}

Result<std::shared_ptr<const RuleBook>> RuleShelf::compile(const TenantPacks& packs,
                                                           const Guardrails& guardrails) {
  if (!cache_folder_.empty() && !is_cache_open_) {
    if (auto opened = detect::DatabaseCache::open(cache_folder_)) {
      cache_ = std::move(*opened);
      is_cache_open_ = true;
    } else {
      log::warn("packs.not_cached", {{"reason", opened.error().message}});
    }
  }
  AISPM_TRY(
      const std::shared_ptr<const RuleBook> loaded,
      RuleBook::load(pack_folder_, policy_file_, &cache_, tenants_, packs, guardrails, own_pack_));
  auto book = std::make_shared<RuleBook>(*loaded);
  std::erase_if(parts_, [](const auto& held) { return held.expired(); });
  for (const auto& held : parts_)
    if (const Part part = held.lock()) AISPM_CHECK(add_bundle(*book, *part));
  return std::shared_ptr<const RuleBook>(std::move(book));
}

Result<std::shared_ptr<const RuleBook>> RuleShelf::compile_given(const TenantPacks& packs,
                                                                 const Guardrails& guardrails) {
  auto made = compile(packs, guardrails);
  if (made) return made;
  // What is in force now was sound: where it cannot be put together either, the files changed.
  const auto before = compile(this->tenant_packs(), this->guardrails());
  if (before) return made;
  return fail(Errc::kUnavailable,
              "the gateway's own files cannot be loaded: " + before.error().message);
}

Result<> RuleShelf::add_bundle(RuleBook& book, const policy::DetectPart& part) {
  if (book.bundles.contains(part.digest)) return {};
  AISPM_TRY(book.bundles[part.digest], book.with(part, &cache_));
  if (book.count_engines() <= RuleBook::kMaxEngines) return {};
  return fail(Errc::kTooLarge, part.path + ": more than 64 detection engines; each policy with a " +
                                   part.path + " needs one, and one for each tenant with rules");
}

Result<> RuleShelf::admit(const Part& part) {
  const std::lock_guard lock(changes_);
  TenantPacks packs = tenant_packs();
  Guardrails given = guardrails();
  std::shared_ptr<const RuleBook> before = current();
  if (!before) {  // the first loading has not begun
    AISPM_TRY(packs, files_.load());
    AISPM_TRY(given, guardrail_files_.load());
    AISPM_TRY(before, compile(packs, given));
  }
  RuleBook book = *before;
  std::erase_if(parts_, [](const auto& held) { return held.expired(); });
  std::erase_if(book.bundles, [&](const auto& entry) {
    return std::none_of(parts_.begin(), parts_.end(), [&](const auto& held) {
      const Part one = held.lock();
      return one && one->digest == entry.first;
    });
  });
  AISPM_CHECK(add_bundle(book, *part));
  parts_.push_back(part);
  publish(book, std::move(packs), std::move(given));
  return {};
}

void RuleShelf::publish(const RuleBook& loaded, TenantPacks packs, Guardrails guardrails) {
  const detect::DatabaseCache::Counts& counts = cache_.counts();
  log::info("packs.loaded", {{"from_cache", counts.loaded},
                             {"compiled", counts.compiled},
                             {"damaged", counts.damaged},
                             {"not_kept", counts.unwritten}});
  auto numbered = std::make_shared<RuleBook>(loaded);
  numbered->cache = counts;
  numbered->generation = generation() + 1;
  {
    const std::lock_guard lock(packs_mutex_);
    packs_ = std::move(packs);
    guardrails_ = std::move(guardrails);
  }
  current_.store(numbered);
  generation_.store(numbered->generation, std::memory_order_release);
}

Result<RuleShelf::Loaded> RuleShelf::load(const Part& own) {
  Loaded loaded;
  loaded.changes = std::unique_lock(changes_);
  if (own) parts_.push_back(own);
  AISPM_TRY(loaded.packs, files_.load());
  AISPM_TRY(loaded.guardrails, guardrail_files_.load());
  AISPM_TRY(loaded.book, compile(loaded.packs, loaded.guardrails));
  return loaded;
}

void RuleShelf::take(Loaded loaded) {
  publish(*loaded.book, std::move(loaded.packs), std::move(loaded.guardrails));
}

Result<> RuleShelf::reload() { return reload(Part()); }

Result<> RuleShelf::reload(const Part& own) {
  AISPM_TRY(Loaded loaded, load(own));
  take(std::move(loaded));
  return {};
}

Result<> RuleShelf::set_tenant_rules(const std::string& tenant, std::string pack) {
  AISPM_CHECK(TenantRuleFiles::check_name(tenant));
  const std::lock_guard lock(changes_);
  TenantPacks packs = tenant_packs();
  const bool removes = pack.empty();
  if (removes)
    packs.erase(tenant);
  else
    packs[tenant] = pack;
  Guardrails given = guardrails();
  AISPM_TRY(const std::shared_ptr<const RuleBook> loaded, compile_given(packs, given));
  AISPM_CHECK(removes ? files_.remove(tenant) : files_.write(tenant, pack));
  publish(*loaded, std::move(packs), std::move(given));
  return {};
}

Result<> RuleShelf::set_guardrails(const std::string& tenant, std::vector<Guardrail> list) {
  if (!tenant.empty()) AISPM_CHECK(TenantRuleFiles::check_name(tenant));
  const std::lock_guard lock(changes_);
  TenantPacks packs = tenant_packs();
  Guardrails given = guardrails();
  if (list.empty())
    given.erase(tenant);
  else
    given[tenant] = std::make_shared<const GuardrailSet>(list);
  AISPM_TRY(const std::shared_ptr<const RuleBook> loaded, compile_given(packs, given));
  AISPM_CHECK(guardrail_files_.write(tenant, list));
  publish(*loaded, std::move(packs), std::move(given));
  return {};
}

Guardrails RuleShelf::guardrails() const {
  const std::lock_guard lock(packs_mutex_);
  return guardrails_;
}

TenantPacks RuleShelf::tenant_packs() const {
  const std::lock_guard lock(packs_mutex_);
  return packs_;
}

}  // namespace aispm::gateway
