// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "sdk/core/common/pki.hpp"
#include "sdk/core/report/reporter.hpp"

namespace grpc {
class Channel;
}

namespace aispm::report {

struct ClientCertificate {
  Secret key_pem;
  std::string certificate_pem;
  std::string ca_pem;
  WallTime renew_at;  // a third of its validity before the end
};

// Splits "host:port", "[v6]:port" into the host alone. kInvalid when there is no port.
Result<std::string> host_of(const std::string& address);

// A one-time enrolment token "<random>.<CA fingerprint>" in its two parts.
struct EnrolmentToken {
  std::string text;
  std::string ca_fingerprint;  // 64 lower-case hex digits
};
Result<EnrolmentToken> parse_enrolment_token(const std::string& text);

// The certificate in the state folder. Enrols with the token when there is none (or one of another
// CA than the token's), renews when it is time. Blocks on the network for at most 10 s; `stop` ends
// that at once. A lock file lets several users of one state folder call it; a one-time token is
// then used once.
Result<ClientCertificate> obtain_certificate(const ReporterOptions& options, std::stop_token stop);

// A channel of its own connection to the collector, with mutual TLS.
std::shared_ptr<grpc::Channel> open_channel(const ReporterOptions& options,
                                            const ClientCertificate& certificate);

}  // namespace aispm::report
