// SPDX-License-Identifier: Apache-2.0
// The first bytes of a TCP stream: a hello, a part of one, or none. Names are host names.
#include <cstdint>
#include <cstdlib>

#include "sensor/decode/names_tls.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sensor;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const HelloParse& parse : {parse_hello_records(bytes), parse_client_hello(bytes)}) {
    if (parse.facts.server_name.size() > 253 || parse.facts.alpn.size() > 32) std::abort();
    if (!parse.facts.server_name.empty() &&
        clean_name(parse.facts.server_name) != parse.facts.server_name)
      std::abort();
  }
  return 0;
}
