// SPDX-License-Identifier: Apache-2.0
// PEM text of any bytes: certificates, requests and keys that a peer or a file may hold.
#include <cstdlib>
#include <string>

#include "sdk/core/common/pki.hpp"

namespace {

struct Ca {
  aispm::Secret key = aispm::pki::make_key().value();
  std::string pem =
      aispm::pki::make_ca(key, "fuzz", {{0}, {4'000'000'000LL * 1'000'000'000}}).value();
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace aispm::pki;
  static const Ca ca;
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)parse_identity(text).has_value();
  (void)fingerprint(text).has_value();
  (void)validity(text).has_value();
  (void)key_fits(ca.key, text);
  // Nothing but what this CA signed may pass for its server.
  if (verify_server(text, ca.pem, "127.0.0.1")) std::abort();
  if (const auto chain = split_chain(text); chain && (chain->empty() || chain->size() > 16))
    std::abort();
  const auto certificate =
      sign_client_request(ca.key, ca.pem, text, {"t", "c", "h"}, {{0}, {1'000'000'000}});
  if (certificate && parse_identity(*certificate).value() != Identity{"t", "c", "h"}) std::abort();
  return 0;
}
