// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "gateway/proxy/observe/guardrails.hpp"
#include "gateway/proxy/pipeline/known_texts.hpp"
#include "gateway/proxy/pipeline/leak_screen.hpp"
#include "gateway/proxy/tenant_config.hpp"
#include "gateway/proxy/tenant_rules.hpp"
#include "sdk/core/common/published.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/database_cache.hpp"
#include "sdk/core/detect/inspect.hpp"
#include "sdk/core/detect/redact.hpp"
#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/policy.hpp"

namespace aispm::gateway {

// What is done with each detection rule's matches on each surface, for one (agent, provider,
// model).
struct OutcomeTables {
  using Table = std::shared_ptr<const detect::Outcomes>;
  std::array<Table, detect::kSurfaceCount> request;
  std::array<Table, detect::kSurfaceCount> reply;
  // For reply text that may be withheld but not edited (signed thinking): redaction becomes denial.
  Table sealed_reply;
  // The same for streams, where rules that are no detection by themselves withhold nothing: what
  // they say together is judged as it comes (StreamRelay).
  std::array<Table, detect::kSurfaceCount> stream;
  Table sealed_stream;

  const detect::Outcomes& of_request(detect::Surface surface) const {
    return *request[static_cast<std::size_t>(surface)];
  }
  const detect::Outcomes& of_reply(detect::Surface surface) const {
    return *reply[static_cast<std::size_t>(surface)];
  }
};

// Detection rules and policy that belong together: compiled once, immutable, shared by all threads.
struct RuleBook {
  std::shared_ptr<const detect::Engine> engine;
  std::shared_ptr<const policy::Policy> policy;
  std::shared_ptr<const OutcomeTables>
      for_all;  // when policy looks at no agent, provider or model; else null
  std::uint64_t generation = 0;
  detect::DatabaseCache::Counts cache;             // since the start
  std::string tenant;                              // whose book it is, "" = everybody's
  TenantConfig own;                                // what differs for the tenant
  std::shared_ptr<const GuardrailSet> guardrails;  // the tenant's; null: none
  std::string additions;  // digest of the bundle's detect.yaml in it, "" = none
  using Books = std::map<std::string, std::shared_ptr<const RuleBook>, std::less<>>;
  Books tenants;  // of everybody's book: those of tenants that have something of their own
  // Of everybody's book without additions: the whole of it with each bundle's detect.yaml, by
  // digest.
  Books bundles;

  static constexpr std::size_t kMaxEngines = 64;  // of one book with all books in it

  // Errors read `file:line: ...`, of `packs`, which were given at run time, `tenant NAME:line`.
  // `cache` may be null.
  static Result<std::shared_ptr<const RuleBook>> load(
      const std::string& pack_folder, const std::string& policy_file, detect::DatabaseCache* cache,
      const Tenants& tenants = {}, const TenantPacks& packs = {}, const Guardrails& guardrails = {},
      const std::string& own_pack = {});
  std::shared_ptr<const OutcomeTables> make_tables(const policy::Context& context) const;

  // The same book, tenants' books included, with what a bundle says about detection; its rules'
  // examples hold beside all others. Errors read `detect.yaml:line: ...`.
  Result<std::shared_ptr<const RuleBook>> with(const policy::DetectPart& part,
                                               detect::DatabaseCache* databases) const;
  std::size_t count_engines() const;

 private:
  Result<std::shared_ptr<const detect::Engine>> engine_with(const policy::DetectPart& part,
                                                            std::size_t shared_rules,
                                                            detect::DatabaseCache* databases) const;
  // What a tenant got at run time.
  struct Given {
    std::string pack;
    std::shared_ptr<const GuardrailSet> guardrails;
  };
  // Adds the book of a tenant to this one.
  Result<> add_tenant(const std::string& name, const TenantConfig& config, const Given& given,
                      const std::string& pack_folder, const std::string& own_pack,
                      detect::DatabaseCache* databases);
  void make_common_tables();
};

// The rule book in force. A reload compiles beside it and swaps; a failed one changes nothing. Any
// thread; changes wait for each other.
class RuleShelf {
 public:
  // What packs compile to is kept in `cache_folder`: the next start takes it from there. "" = none.
  // `tenants` must outlive it. What is given to tenants at run time is kept in `tenant_folder`; "":
  // nothing can be given. `own_pack` holds beside the shipped ones, for everybody; "" = none.
  RuleShelf(std::string pack_folder, std::string policy_file, std::string cache_folder,
            const Tenants& tenants, std::string tenant_folder = {}, std::string own_pack = {})
      : pack_folder_(std::move(pack_folder)),
        policy_file_(std::move(policy_file)),
        cache_folder_(std::move(cache_folder)),
        own_pack_(std::move(own_pack)),
        tenants_(tenants),
        guardrail_files_(tenant_folder),
        files_(std::move(tenant_folder)) {}
  // Rules that were loaded and checked and are not in force yet. Other changes wait while it lives.
  class Loaded {
   private:
    friend class RuleShelf;
    std::unique_lock<std::mutex> changes;
    std::shared_ptr<const RuleBook> book;
    TenantPacks packs;
    Guardrails guardrails;
  };
  // The first takes seconds where the cache holds nothing. Without a usable cache the log says why.
  Result<> reload();
  // With a bundle's detect.yaml that need not have been admitted; null: none.
  using Part = std::shared_ptr<const policy::DetectPart>;
  Result<> reload(const Part& own);
  // The two halves of that.
  Result<Loaded> load(const Part& own = {});
  void take(Loaded loaded);
  // Gives a tenant a pack beside the shipped ones and the configured one, or takes it away (""):
  // compiled, its examples run, kept on disk, then in force. On any error nothing changes.
  Result<> set_tenant_rules(const std::string& tenant, std::string pack);
  TenantPacks tenant_packs() const;
  // The same with guardrails: all of the tenant's, none to take them away.
  Result<> set_guardrails(const std::string& tenant, std::vector<Guardrail> list);
  Guardrails guardrails() const;
  // Compiles what a bundle says about detection beside the rules in force, for as long as anybody
  // holds `part`. Waits for a loading that goes on. On any error nothing changes; kTooLarge: more
  // than RuleBook::kMaxEngines.
  Result<> admit(const Part& part);
  // Null before the first reload has ended.
  std::shared_ptr<const RuleBook> current() const { return current_.load(); }
  // Cheap question whether current() has changed.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  Result<std::shared_ptr<const RuleBook>> compile(const TenantPacks& packs,
                                                  const Guardrails& guardrails);
  // For rules that somebody gives now: kUnavailable where not they are wrong but this host's files.
  Result<std::shared_ptr<const RuleBook>> compile_given(const TenantPacks& packs,
                                                        const Guardrails& guardrails);
  Result<> add_bundle(RuleBook& book, const policy::DetectPart& part);
  void publish(const RuleBook& loaded, TenantPacks packs, Guardrails guardrails);

  std::string pack_folder_;
  std::string policy_file_;
  std::string cache_folder_;
  std::string own_pack_;
  const Tenants& tenants_;
  GuardrailFiles guardrail_files_;
  TenantRuleFiles files_;
  std::mutex changes_;              // held while rules are compiled and swapped
  mutable std::mutex packs_mutex_;  // guards the next two, held briefly
  TenantPacks packs_;               // those in force
  Guardrails guardrails_;           // likewise
  std::vector<std::weak_ptr<const policy::DetectPart>> parts_;  // admitted; of equal ones all
  detect::DatabaseCache cache_;  // also shares what has not changed with the book in force
  bool is_cache_open_ = false;
  Published<const RuleBook> current_;
  std::atomic<std::uint64_t> generation_{0};
};

// Working memory for one rule book on one thread; used only between two waits.
struct Workbench {
  detect::Scratch scratch;
  std::vector<detect::Match> matches;
  std::vector<std::string_view> texts;          // of one message, that are asked about
  std::vector<KnownTexts::Place> places = {};   // of all its texts
  std::vector<std::string_view> readings = {};  // likewise: what is read of each as text
  detect::Inspection inspection = {};
  detect::Fused fused = {};
  detect::Tier1 tier1 = {};
  KnownTexts known = {};   // to tier 1
  KnownTexts opined = {};  // to slower judges
  PromptIndexes prompts = {};
};

// One thread's view of the rules: the book, working memory, and outcome tables of recent callers.
class RuleDesk {
 public:
  static constexpr std::size_t kMaxTables = 1024;
  // An exchange takes it at its start and keeps it to its end, whatever is reloaded meanwhile.
  struct Rules {
    std::shared_ptr<const RuleBook> book;
    std::shared_ptr<Workbench> bench;
  };

  explicit RuleDesk(const RuleShelf& shelf) : shelf_(shelf) {}
  // Follows a reload. kUnavailable before the first one: nothing may pass yet.
  // `additions`: digest of an admitted detect.yaml, or "". kUnavailable also where it is not there.
  Result<Rules> rules(std::string_view tenant = {}, std::string_view additions = {});
  std::shared_ptr<const OutcomeTables> tables(const RuleBook& book, const policy::Context& context);

 private:
  Result<Rules> open(std::shared_ptr<const RuleBook> book) const;

  const RuleShelf& shelf_;
  Rules rules_;
  // Of this generation, by additions and tenant, as they are needed.
  std::unordered_map<std::string, Rules> of_some_;
  std::unordered_map<std::string, std::shared_ptr<const OutcomeTables>> tables_;
};

}  // namespace aispm::gateway
