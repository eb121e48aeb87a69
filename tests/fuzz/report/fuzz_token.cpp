// SPDX-License-Identifier: Apache-2.0
// Enrolment tokens, collector addresses and os-release files of any bytes.
#include <cstdlib>
#include <string>

#include "sdk/core/report/credentials.hpp"
#include "sdk/core/report/host_facts.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace aispm::report;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto token = parse_enrolment_token(text);
      token && (token->ca_fingerprint.size() != 64 || token->text != text))
    std::abort();
  if (const auto host = host_of(text); host && host->size() >= text.size()) std::abort();
  (void)os_release_value(text, "PRETTY_NAME");
  return 0;
}
