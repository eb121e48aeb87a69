// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "bpf/events.h"
#include "sensor/capture/probe_plan.hpp"

namespace aispm::sensor {
namespace {

struct NamedHook {
  const char* function;
  TlsHook hook;
};

// (session, buffer, size) -> ssize_t, or no buffer that could be read.
constexpr NamedHook kGnuTls[] = {{"gnutls_record_recv", TlsHook::kGnuRead},
                                 {"gnutls_record_recv_seq", TlsHook::kGnuRead},
                                 {"gnutls_record_recv_early_data", TlsHook::kGnuRead},
                                 {"gnutls_record_send", TlsHook::kGnuWrite},
                                 {"gnutls_record_send2", TlsHook::kGnuWrite},
                                 {"gnutls_record_send_range", TlsHook::kGnuWrite},
                                 {"gnutls_record_send_early_data", TlsHook::kGnuWrite},
                                 {"gnutls_record_send_file", TlsHook::kGnuHidden},
                                 {"gnutls_handshake", TlsHook::kGnuHandshake},
                                 {"gnutls_deinit", TlsHook::kGnuClose}};

// NSS keeps its own functions private: its connections are made in libssl3 and used through NSPR,
// which serves plain sockets by the same functions. So only what SSL_ImportFD returned is followed.
constexpr NamedHook kNssConnections[] = {{"SSL_ImportFD", TlsHook::kNssImport}};
constexpr NamedHook kNspr[] = {{"PR_Read", TlsHook::kNssRead},
                               {"PR_Recv", TlsHook::kNssRead},
                               {"PR_Write", TlsHook::kNssWrite},
                               {"PR_Send", TlsHook::kNssWrite},
                               {"PR_Close", TlsHook::kNssClose}};

template <std::size_t Size>
ProbePlan plan_of(const NamedHook (&hooks)[Size], const ElfSubject& subject, std::string library,
                  std::uint8_t library_id) {
  ProbePlan plan{std::move(library), library_id, "symbols", {}, ""};
  for (const auto& [function, hook] : hooks) {
    const auto at = subject.functions.find(function);
    if (at == subject.functions.end()) continue;
    ProbePoint point = cheapest_point(subject.code_at, at->second);
    point.hook = hook;
    point.function = function;
    plan.points.push_back(std::move(point));
  }
  return plan;
}

bool has_all(const Functions& functions, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (!functions.contains(name)) return false;
  return true;
}

class SymbolPlanner : public Planner {
 public:
  std::string name() const override { return "symbols"; }
  std::string version() const override { return "1"; }
  Speed speed() const override { return Speed::kFast; }

  std::vector<std::string> symbols() const override {
    std::vector<std::string> names(tls_function_names().begin(), tls_function_names().end());
    for (const auto& [function, hook] : kGnuTls) names.emplace_back(function);
    for (const auto& [function, hook] : kNssConnections) names.emplace_back(function);
    for (const auto& [function, hook] : kNspr) names.emplace_back(function);
    return names;
  }

  std::vector<ProbePlan> plan(const ElfSubject& subject) const override {
    const Functions& functions = subject.functions;
    std::vector<ProbePlan> plans;
    if (has_all(functions, {"SSL_read", "SSL_write"}))
      plans.push_back({"openssl", AISPM_LIBRARY_OPENSSL, "symbols",
                       make_probe_plan(functions, subject.code_at), ""});
    if (has_all(functions, {"gnutls_record_recv", "gnutls_record_send"}))
      plans.push_back(plan_of(kGnuTls, subject, "gnutls", AISPM_LIBRARY_GNUTLS));
    if (has_all(functions, {"SSL_ImportFD"}))
      plans.push_back(plan_of(kNssConnections, subject, "nss", AISPM_LIBRARY_NSS));
    if (has_all(functions, {"PR_Read", "PR_Write", "PR_Close"}))
      plans.push_back(plan_of(kNspr, subject, "nss", AISPM_LIBRARY_NSS));
    return plans;
  }
};

}  // namespace

std::shared_ptr<const Planner> make_symbol_planner() { return std::make_shared<SymbolPlanner>(); }

}  // namespace aispm::sensor
