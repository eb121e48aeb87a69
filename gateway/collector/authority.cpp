// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/authority.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "gateway/collector/limits.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::collector {
namespace {

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kRenewBefore = 30 * kDay;
// Clocks of daemons may be behind.
constexpr std::int64_t kBackdated = kDay;

pki::Validity valid_for(int days, WallTime now) {
  return {{now.nanoseconds - kBackdated}, {now.nanoseconds + days * kDay}};
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::vector<std::string> all_names(const std::vector<std::string>& configured) {
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0 && host[0] != '\0')
    names.emplace_back(host.data());
  names.insert(names.end(), configured.begin(), configured.end());
  std::vector<std::string> unique;
  for (auto& name : names)
    if (std::ranges::find(unique, name) == unique.end()) unique.push_back(std::move(name));
  return unique;
}

}  // namespace

Result<> Authority::open_ca(const std::string& folder, WallTime now) {
  ca_file_ = folder + "/ca.crt";
  const std::string key_file = folder + "/ca.key";
  // The key is written first: a certificate without its key would be worth nothing.
  if (!exists(ca_file_)) {
    if (!exists(key_file)) {
      AISPM_TRY(const Secret made, pki::make_key());
      AISPM_CHECK(write_file_atomically(key_file, made.expose(), 0600));
    }
    AISPM_TRY(std::string key, read_file(key_file, pki::kMaxPemBytes));
    AISPM_TRY(const std::string certificate,
              pki::make_ca(Secret(std::move(key)), "AISPM collector CA",
                           valid_for(limits::kCaDays, now)));
    AISPM_CHECK(write_file_atomically(ca_file_, certificate, 0644));
  }
  AISPM_TRY(std::string key, read_file(key_file, pki::kMaxPemBytes));
  ca_key_ = Secret(std::move(key));
  AISPM_TRY(ca_pem_, read_file(ca_file_, pki::kMaxPemBytes));
  if (!pki::key_fits(ca_key_, ca_pem_))
    return fail(Errc::kInvalid, key_file + " is not the key of " + ca_file_ +
                                    ": restore both from the same backup");
  AISPM_TRY(ca_fingerprint_, pki::fingerprint(ca_pem_));
  return {};
}

Result<> Authority::open_server(const std::string& folder, const std::vector<std::string>& names,
                                WallTime now) {
  const std::string key_file = folder + "/server.key";
  const std::string certificate_file = folder + "/server.crt";
  const auto wanted = all_names(names);
  if (exists(certificate_file) && exists(key_file)) {
    AISPM_TRY(std::string key, read_file(key_file, pki::kMaxPemBytes));
    server_key_ = Secret(std::move(key));
    AISPM_TRY(server_pem_, read_file(certificate_file, pki::kMaxPemBytes));
    AISPM_TRY(const WallTime end, pki::expiry(server_pem_));
    const bool has_names = std::ranges::all_of(wanted, [this](const std::string& name) {
      return pki::verify_server(server_pem_, ca_pem_, name).has_value();
    });
    if (has_names && pki::key_fits(server_key_, server_pem_) &&
        end.nanoseconds - now.nanoseconds > kRenewBefore)
      return {};
  }
  AISPM_TRY(server_key_, pki::make_key());
  AISPM_TRY(server_pem_,
            pki::make_server_certificate(ca_key_, ca_pem_, server_key_, wanted,
                                         valid_for(limits::kServerCertificateDays, now)));
  AISPM_CHECK(write_file_atomically(key_file, server_key_.expose(), 0600));
  return write_file_atomically(certificate_file, server_pem_, 0644);
}

Result<Authority> Authority::open(const std::string& state_folder,
                                  const std::vector<std::string>& names, WallTime now) {
  const std::string folder = state_folder + "/pki";
  AISPM_CHECK(make_directories(folder, 0700));
  Authority authority;
  AISPM_CHECK(authority.open_ca(folder, now));
  AISPM_CHECK(authority.open_server(folder, names, now));
  return authority;
}

Result<std::string> Authority::sign(std::string_view request_pem, const pki::Identity& identity,
                                    WallTime now) const {
  return pki::sign_client_request(ca_key_, ca_pem_, request_pem, identity,
                                  valid_for(limits::kClientCertificateDays, now));
}

}  // namespace aispm::collector
