// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/common/time.hpp"

// The small certificate authority between the daemons: P-256 keys, one CA, server and client
// certificates, as PEM text. Plain functions without state: thread-safe. PEM from outside is
// limited to kMaxPemBytes and answered with kInvalid.
namespace aispm::pki {

constexpr std::size_t kMaxPemBytes = 64U << 10;

// A certificate is valid in [from, until]; seconds count, fractions are cut.
struct Validity {
  WallTime from;
  WallTime until;
};

// Who a daemon is, as the collector wrote it into the client certificate: subject CN = host id, and
// the SAN URI `aispm://<tenant>/<component>/<host id>`. Each part is 1..128 characters of A-Z a-z
// 0-9 . _ -
struct Identity {
  std::string tenant;
  std::string component;
  std::string host_id;
  bool operator==(const Identity&) const = default;
};

// A new EC P-256 key as PKCS#8 PEM.
Result<Secret> make_key();

// A self-signed CA that may sign end certificates only (path length 0).
Result<std::string> make_ca(const Secret& key, std::string_view common_name, Validity validity);

// A server certificate for the public part of `key`. Each of `names` is a DNS name or an IP
// address; at least one.
Result<std::string> make_server_certificate(const Secret& ca_key, std::string_view ca_pem,
                                            const Secret& key,
                                            const std::vector<std::string>& names,
                                            Validity validity);

// A certificate request (PKCS#10) signed with `key`.
Result<std::string> make_request(const Secret& key, std::string_view common_name);

// Signs a daemon's request. Takes the public key from it (its own signature is checked, only P-256
// is accepted) and nothing else: names come from `identity`, so a request can claim nothing.
Result<std::string> sign_client_request(const Secret& ca_key, std::string_view ca_pem,
                                        std::string_view request_pem, const Identity& identity,
                                        Validity validity);

// Reads the SAN URI back and checks that the CN agrees. It does not check who signed: TLS did.
Result<Identity> parse_identity(std::string_view certificate_pem);

// Lower-case hex SHA-256 of the DER form of the first certificate in the text.
Result<std::string> fingerprint(std::string_view certificate_pem);

// The end of validity of the first certificate in the text.
Result<WallTime> expiry(std::string_view certificate_pem);
Result<Validity> validity(std::string_view certificate_pem);

// Splits a chain into single certificates, first (leaf) first. At most 16.
Result<std::vector<std::string>> split_chain(std::string_view chain_pem);

// Checks that `leaf_pem` is a server certificate signed by `ca_pem`, valid now, for `host` (DNS
// name or IP address).
Result<> verify_server(std::string_view leaf_pem, std::string_view ca_pem, const std::string& host);

// True when `key` is the private half of the first certificate in the text.
bool key_fits(const Secret& key, std::string_view certificate_pem);

}  // namespace aispm::pki
