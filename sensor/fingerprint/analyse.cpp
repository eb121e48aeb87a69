// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/analyse.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "sensor/fingerprint/code_scan.hpp"
#include "sensor/fingerprint/elf_view.hpp"
#include "sensor/fingerprint/error_sites.hpp"
#include "sensor/fingerprint/go_table.hpp"
#include "sensor/fingerprint/instructions.hpp"
#include "sensor/fingerprint/symbols.hpp"

namespace aispm::sensor::fingerprint {
namespace {

constexpr std::size_t kMaxReferences = 4096;
constexpr std::size_t kMaxTexts = 64;      // places of one text
constexpr std::size_t kMaxFileName = 512;  // bytes of a source file's name
constexpr std::size_t kMaxReturns = 64;    // of one Go function

class Analysis {
 public:
  Analysis(const ElfView& elf, const Packs& packs) : elf_(elf), packs_(packs) {}

  std::vector<Finding> run() {
    find_texts();
    for (const ErrorPack& pack : packs_.errors) add_error_pack(pack);
    add_go();
    for (const Mark& mark : packs_.marks) add_mark(mark);
    return std::move(findings_);
  }

 private:
  // All texts in one pass: a window is searched for each while it is in the cache.
  void find_texts() {
    std::vector<std::string> needles;
    for (const ErrorPack& pack : packs_.errors) needles.push_back(pack.source_file + '\0');
    for (const Mark& mark : packs_.marks) needles.push_back(mark.text);
    elf_.walk(ElfView::Part::kReadOnly, Packs::kMaxText + 1,
              [&](std::uint64_t address, std::span<const std::uint8_t> window) {
                for (const std::string& needle : needles) note_text(needle, address, window);
                return true;
              });
    for (auto& [needle, places] : texts_) {
      std::sort(places.begin(), places.end());
      places.erase(std::unique(places.begin(), places.end()), places.end());
    }
  }

  void note_text(const std::string& needle, std::uint64_t address,
                 std::span<const std::uint8_t> window) {
    std::vector<std::uint64_t>& places = texts_[needle];
    while (places.size() < kMaxTexts) {
      const void* hit = ::memmem(window.data(), window.size(), needle.data(), needle.size());
      if (hit == nullptr) return;
      const auto at =
          static_cast<std::size_t>(static_cast<const std::uint8_t*>(hit) - window.data());
      places.push_back(address + at);
      address += at + 1;
      window = window.subspan(at + 1);
    }
  }

  // A file name as code refers to it: from its first byte.
  std::uint64_t start_of_text(std::uint64_t ending) const {
    std::uint64_t from = ending - std::min<std::uint64_t>(ending, kMaxFileName);
    for (const ElfView::Segment& segment : elf_.segments())
      if (ending >= segment.address && ending - segment.address < segment.size)
        from = std::max(from, segment.address);
    const std::vector<std::uint8_t> before = elf_.read(from, ending - from);
    std::size_t at = before.size();
    while (at > 0 && before[at - 1] != 0) --at;
    return from + at;
  }

  void add_error_pack(const ErrorPack& pack) {
    Finding finding{pack.id, {}, {}};
    for (const FunctionRule& rule : pack.functions) add_symbol(rule, finding);
    const std::vector<std::uint64_t>& endings = texts_[pack.source_file + '\0'];
    if (finding.sites.size() == pack.functions.size()) return findings_.push_back(finding);
    if (endings.empty()) return;
    finding.sites.clear();
    std::vector<std::uint64_t> names;
    for (const std::uint64_t ending : endings) names.push_back(start_of_text(ending));
    const std::vector<Reference> references = find_references(elf_, names, kMaxReferences);
    std::vector<std::uint64_t> addresses;
    for (const Reference& reference : references) addresses.push_back(reference.address);
    const FunctionFinder functions(elf_, addresses);
    std::vector<ErrorSite> sites;
    for (const Reference& reference : references)
      if (auto site = read_error_site(elf_, reference, pack, functions.start_of(reference.address)))
        sites.push_back(*site);
    for (const FoundFunction& found : match_functions(pack, sites)) {
      if (found.address != 0)
        add_site(found.rule->hook, found.rule->name, found.address, finding);
      else
        finding.reasons.push_back(pack.id + ": " + found.reason);
    }
    findings_.push_back(std::move(finding));
  }

  void add_symbol(const FunctionRule& rule, Finding& finding) {
    if (rule.symbols.empty()) return;
    std::vector<std::uint64_t> addresses;
    for (const auto& [ending, places] : find_symbols(elf_, rule.symbols))
      addresses.insert(addresses.end(), places.begin(), places.end());
    if (addresses.size() == 1) add_site(rule.hook, rule.name, addresses[0], finding);
  }

  void add_site(Hook hook, const std::string& name, std::uint64_t address, Finding& finding) {
    if (const auto offset = elf_.file_offset(address))
      finding.sites.push_back({hook, name, address, *offset, {}});
  }

  void add_go() {
    if (packs_.go.empty()) return;
    const auto table = GoTable::open(elf_);
    Finding finding{"go", {}, {}};
    if (!table) {
      if (table.error().code == Errc::kNotFound) return;
      finding.reasons.push_back("go: " + table.error().message);
      return findings_.push_back(std::move(finding));
    }
    std::vector<std::string_view> names;
    for (const GoFunction& function : packs_.go) names.push_back(function.name);
    const auto found = table->find(names);
    if (!found) {
      finding.reasons.push_back("go: " + found.error().message);
      return findings_.push_back(std::move(finding));
    }
    if (found->empty()) return;  // a Go program without TLS
    for (const GoFunction& function : packs_.go) {
      const auto range = found->find(function.name);
      if (range != found->end())
        add_go_site(function, range->second, finding);
      else if (function.hook == Hook::kGoRead || function.hook == Hook::kGoWrite)
        finding.reasons.push_back("go: " + function.name + " is not in the program");
    }
    findings_.push_back(std::move(finding));
  }

  void add_go_site(const GoFunction& function, const ElfView::Range& range, Finding& finding) {
    Site site{function.hook,
              function.name,
              range.address,
              elf_.file_offset(range.address).value_or(0),
              {}};
    if (function.hook == Hook::kGoRead) {
      const auto returns =
          find_returns(elf_.read(range.address, range.size), range.address, kMaxReturns);
      if (!returns || returns->empty()) {
        finding.reasons.push_back("go: " + function.name + " cannot be decoded to its end");
        return;
      }
      site.returns = *returns;
    }
    finding.sites.push_back(std::move(site));
  }

  void add_mark(const Mark& mark) {
    if (texts_[mark.text].empty()) return;
    const bool is_explained =
        std::any_of(findings_.begin(), findings_.end(),
                    [&](const Finding& one) { return one.library == mark.unless; });
    if (!is_explained) findings_.push_back({mark.id, {}, {mark.id + ": " + mark.reason}});
  }

  const ElfView& elf_;
  const Packs& packs_;
  std::map<std::string, std::vector<std::uint64_t>> texts_;
  std::vector<Finding> findings_;
};

}  // namespace

Result<std::vector<Finding>> analyse(const FileBytes& bytes, const Packs& packs) {
  AISPM_TRY(const ElfView elf, ElfView::open(bytes));
  return Analysis(elf, packs).run();
}

}  // namespace aispm::sensor::fingerprint
