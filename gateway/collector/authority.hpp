// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sdk/core/common/pki.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector {

// The collector's own CA and server certificate in `<state folder>/pki`: ca.key, ca.crt,
// server.key, server.crt; keys 0600. Immutable once opened; thread-safe.
class Authority {
 public:
  // Makes what is missing. The server certificate is renewed when it ends within 30 days or lacks a
  // name.
  static Result<Authority> open(const std::string& state_folder,
                                const std::vector<std::string>& names, WallTime now);

  // A certificate for a daemon's request, valid kClientCertificateDays.
  Result<std::string> sign(std::string_view request_pem, const pki::Identity& identity,
                           WallTime now) const;

  const std::string& ca_pem() const { return ca_pem_; }
  const std::string& ca_file() const { return ca_file_; }
  const std::string& ca_fingerprint() const { return ca_fingerprint_; }
  const std::string& server_pem() const { return server_pem_; }
  const Secret& server_key() const { return server_key_; }

 private:
  Result<> open_ca(const std::string& folder, WallTime now);
  Result<> open_server(const std::string& folder, const std::vector<std::string>& names,
                       WallTime now);

  Secret ca_key_;
  std::string ca_pem_;
  std::string ca_file_;
  std::string ca_fingerprint_;
  Secret server_key_;
  std::string server_pem_;
};

}  // namespace aispm::collector
