// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/providers/aws_signature.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "gateway/proxy/providers/upstream_path.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm::gateway {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

Secret hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), sum.data(), &size);
  return Secret(std::string(reinterpret_cast<const char*>(sum.data()), size));
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.append({kDigits[byte >> 4U], kDigits[byte & 15U]});
  }
  return text;
}

// "20150830T123600Z"
std::string stamp(std::time_t now) {
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
  return {text.data(), size};
}

// What is encoded already is encoded again: all services but S3 count so.
std::string canonical_path(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const auto slash = path.find('/');
    out += percent_encoded(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    out += "/";
    path.remove_prefix(slash + 1);
  }
  return out;
}

}  // namespace

std::string aws_signature_lines(const AwsRequest& request, const AwsCredentials& credentials,
                                std::time_t now) {
  const std::string time = stamp(now);
  const std::string date = time.substr(0, 8);
  const bool has_token = !credentials.session_token.empty();
  std::string headers = "host:" + std::string(request.host) + "\nx-amz-date:" + time + "\n";
  std::string names = "host;x-amz-date";
  if (has_token) {
    headers.append("x-amz-security-token:").append(credentials.session_token).append("\n");
    names += ";x-amz-security-token";
  }
  std::string canonical(request.method);
  canonical.append("\n").append(canonical_path(request.path)).append("\n\n");
  canonical.append(headers).append("\n").append(names).append("\n");
  canonical += sha256_hex(request.body);
  std::string scope = date;
  scope.append("/").append(request.region).append("/").append(request.service);
  scope += "/aws4_request";
  std::string to_sign(kAlgorithm);
  to_sign.append("\n").append(time).append("\n").append(scope).append("\n");
  to_sign += sha256_hex(canonical);
  const Secret start("AWS4" + std::string(credentials.secret_key));
  const Secret of_date = hmac(start.expose(), date);
  const Secret of_region = hmac(of_date.expose(), request.region);
  const Secret of_service = hmac(of_region.expose(), request.service);
  const Secret key = hmac(of_service.expose(), "aws4_request");
  std::string lines = "x-amz-date: " + time + "\r\n";
  if (has_token)
    lines.append("x-amz-security-token: ").append(credentials.session_token).append("\r\n");
  lines.append("authorization: ").append(kAlgorithm).append(" Credential=");
  lines.append(credentials.access_key_id).append("/").append(scope);
  lines.append(", SignedHeaders=").append(names).append(", Signature=");
  return lines.append(hex(hmac(key.expose(), to_sign).expose())).append("\r\n");
}

}  // namespace aispm::gateway
