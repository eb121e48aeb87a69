// SPDX-License-Identifier: Apache-2.0
#include "sensor/model/records.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace aispm::sensor {

std::string_view name_of(TlsLibrary library) {
  switch (library) {
    case TlsLibrary::kOpenSsl:
      return "openssl";
    case TlsLibrary::kGnuTls:
      return "gnutls";
    case TlsLibrary::kNss:
      return "nss";
    case TlsLibrary::kBoringSsl:
      return "boringssl";
    case TlsLibrary::kGo:
      return "go";
    case TlsLibrary::kAwsLc:
      return "aws-lc";
  }
  return "unknown";
}

std::string_view name_of(NameSource source) {
  switch (source) {
    case NameSource::kDns:
      return "dns";
    case NameSource::kSni:
      return "sni";
    case NameSource::kQuic:
      return "quic";
    case NameSource::kHttpHost:
      return "http_host";
  }
  return "";
}

bool cut_arguments(std::vector<std::string>& arguments) {
  if (arguments.size() <= kMaxArguments) return false;
  arguments.resize(kMaxArguments);
  return true;
}

std::string Address::host_text() const {
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const bool is_mapped = is_v6 && std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
  const bool as_v6 = is_v6 && !is_mapped;
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* from = bytes.data() + (is_mapped ? kMapped.size() : 0);
  if (::inet_ntop(as_v6 ? AF_INET6 : AF_INET, from, text.data(), text.size()) == nullptr) return "";
  return text.data();
}

}  // namespace aispm::sensor
