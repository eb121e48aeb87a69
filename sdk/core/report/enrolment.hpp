// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <string>

#include "sdk/core/report/credentials.hpp"

// The two calls of aispm.v1.Enrolment. Both block for at most 10 s; `stop` ends them at once.
namespace aispm::report {

struct EnrolmentReply {
  std::string certificate_pem;
  std::string ca_pem;
};

// Trusts a server only if it shows a CA with the token's fingerprint and a certificate of that CA
// for the collector's host. The token is sent after that check, so nobody else gets to see it.
Result<EnrolmentReply> enrol(const ReporterOptions& options, const EnrolmentToken& token,
                             const std::string& request_pem, const std::stop_token& stop);

// With the present certificate.
Result<EnrolmentReply> renew(const ReporterOptions& options, const ClientCertificate& present,
                             const std::string& request_pem, const std::stop_token& stop);

}  // namespace aispm::report
