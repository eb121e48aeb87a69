// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/fingerprint_planner.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "bpf/events.h"
#include "sensor/fingerprint/analyse.hpp"

namespace aispm::sensor {
namespace {

using fingerprint::Finding;
using fingerprint::Hook;
using fingerprint::Site;

// Of the analysis itself; the packs have their own.
constexpr const char* kAnalysisVersion = "1";
// Programs with a TLS library inside are larger.
constexpr std::uint64_t kMinFileBytes = 128U << 10;
constexpr std::uint64_t kAtStackCheck = 1;  // GO_AT_STACK_CHECK in bpf/programs/tls_go.bpf.c

class SubjectBytes final : public fingerprint::FileBytes {
 public:
  explicit SubjectBytes(const ElfSubject& subject) : subject_(&subject) {}
  std::size_t read(std::uint64_t offset, std::span<std::uint8_t> out) const override {
    return subject_->read_at(offset, std::as_writable_bytes(out));
  }

 private:
  const ElfSubject* subject_;
};

std::uint8_t library_id_of(const std::string& library) {
  if (library == "boringssl") return AISPM_LIBRARY_BORINGSSL;
  return library == "go" ? AISPM_LIBRARY_GO : AISPM_LIBRARY_AWS_LC;
}

TlsHook hook_of(Hook hook) {
  switch (hook) {
    case Hook::kSslRead:
      return TlsHook::kRead;
    case Hook::kSslWrite:
      return TlsHook::kWrite;
    case Hook::kAeadSeal:
      return TlsHook::kAeadSeal;
    case Hook::kAeadSealScatter:
      return TlsHook::kAeadSealScatter;
    case Hook::kAeadOpen:
      return TlsHook::kAeadOpen;
    case Hook::kAeadOpenGather:
      return TlsHook::kAeadOpenGather;
    case Hook::kGoRead:
      return TlsHook::kGoRead;
    case Hook::kGoWrite:
      return TlsHook::kGoWrite;
    case Hook::kGoHandshake:
      return TlsHook::kGoHandshake;
    case Hook::kGoClose:
      return TlsHook::kGoClose;
  }
  return TlsHook::kRead;
}

// The branch of a Go function's stack check: the kernel emulates it and the arguments are where
// they were. It comes after `cmp rsp, [r14+16]`, or `lea r12, [rsp-n]` and `cmp r12, [r14+16]`.
ProbePoint go_entry(const CodeAt& code_at, std::uint64_t function) {
  ProbePoint point;
  point.address = function;
  const std::string code = code_at ? code_at(function, 32) : std::string();
  const auto begins = [&](std::size_t at, std::string_view bytes) {
    return code.compare(std::min(at, code.size()), bytes.size(), bytes) == 0;
  };
  std::size_t at = 0;
  if (begins(0, "\x49\x3b\x66\x10"))
    at = 4;
  else if (begins(0, "\x4c\x8d\x64\x24") && begins(5, "\x4d\x3b\x66\x10"))
    at = 9;
  else if (begins(0, "\x4c\x8d\xa4\x24") && begins(8, "\x4d\x3b\x66\x10"))
    at = 12;
  if (at == 0 || (!begins(at, "\x76") && !begins(at, "\x0f\x86"))) return point;
  point.address = function + at;
  point.is_emulated = true;
  point.cookie = kAtStackCheck;
  return point;
}

// Their arguments lie on the stack too, so the stack pointer must be the caller's.
ProbePoint aead_entry(const CodeAt& code_at, std::uint64_t function) {
  const ProbePoint cheapest = cheapest_point(code_at, function);
  ProbePoint point;
  point.address = function;
  point.is_emulated = cheapest.is_emulated && cheapest.address == function;
  return point;
}

void add_points(const Site& site, const CodeAt& code_at, ProbePlan& plan) {
  // Returns first: without an entry they do nothing.
  for (const std::uint64_t address : site.returns)
    plan.points.push_back(
        {TlsHook::kGoReadReturn, address, false, "return of " + site.function, 0});
  ProbePoint point;
  if (!site.function.empty() && plan.library == "go")
    point = go_entry(code_at, site.address);
  else if (site.hook == Hook::kSslRead || site.hook == Hook::kSslWrite)
    point = cheapest_point(code_at, site.address);
  else
    point = aead_entry(code_at, site.address);
  point.hook = hook_of(site.hook);
  point.function = site.function;
  plan.points.push_back(std::move(point));
}

class FingerprintPlanner : public Planner {
 public:
  explicit FingerprintPlanner(fingerprint::Packs packs) : packs_(std::move(packs)) {}

  std::string name() const override { return "fingerprints"; }
  std::string version() const override {
    return std::string(kAnalysisVersion) + "/" + packs_.version;
  }
  Speed speed() const override { return Speed::kSlow; }
  bool may_apply(const ElfSubject& subject) const override {
    return subject.is_x86_64 && subject.size_bytes >= kMinFileBytes;
  }

  std::vector<ProbePlan> plan(const ElfSubject& subject) const override {
    std::vector<ProbePlan> plans;
    const auto findings = fingerprint::analyse(SubjectBytes(subject), packs_);
    if (!findings) return plans;  // no program that we can judge
    for (const Finding& finding : *findings) {
      ProbePlan plan;
      plan.library = finding.library;
      plan.library_id = library_id_of(finding.library);
      plan.method = finding.library == "go" ? "function table" : "error codes";
      for (const Site& site : finding.sites) add_points(site, subject.code_at, plan);
      if (!plan.points.empty()) plans.push_back(plan);
      // What is missing is said beside what is there.
      plan.points.clear();
      for (const std::string& reason : finding.reasons) {
        plan.reason = reason;
        plans.push_back(plan);
      }
    }
    return plans;
  }

 private:
  const fingerprint::Packs packs_;
};

}  // namespace

std::shared_ptr<const Planner> make_fingerprint_planner(fingerprint::Packs packs) {
  return std::make_shared<FingerprintPlanner>(std::move(packs));
}

}  // namespace aispm::sensor
