// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace aispm::gateway {

struct AwsCredentials {
  std::string_view access_key_id;
  std::string_view secret_key;
  std::string_view session_token;  // "" = lasting credentials
};

// A request as it is sent.
struct AwsRequest {
  std::string_view method;
  std::string_view host;  // the Host header
  std::string_view path;  // percent-encoded once; no query
  std::string_view body;
  std::string_view region;
  std::string_view service;
};

// The header lines that sign it: x-amz-date, x-amz-security-token where there is one, and
// authorization. Signed are these and host, and the body by its hash. Valid for about 5 minutes
// around `now`.
// Source: AWS Signature Version 4 ("Create a signed AWS API request").
std::string aws_signature_lines(const AwsRequest& request, const AwsCredentials& credentials,
                                std::time_t now);

}  // namespace aispm::gateway
