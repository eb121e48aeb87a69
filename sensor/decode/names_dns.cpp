// SPDX-License-Identifier: Apache-2.0
#include "sensor/decode/names_dns.hpp"

#include <algorithm>

#include "sensor/decode/names_tls.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr int kMaxJumps = 16;
constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeAlias = 5;
constexpr std::uint16_t kTypeAaaa = 28;
constexpr std::uint16_t kInternet = 1;

std::uint16_t number16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(bytes[at]) << 8 |
                                    static_cast<std::uint8_t>(bytes[at + 1]));
}

// Takes a name at `at`, which moves behind it. Compression pointers lead backwards only, so this
// ends.
Result<std::string> take_name(std::string_view message, std::size_t& at) {
  std::string name;
  std::size_t here = at;
  std::size_t limit = message.size();  // pointers must lead to before this
  bool has_jumped = false;
  for (int jumps = 0; jumps <= kMaxJumps;) {
    if (here >= message.size()) return fail(Errc::kInvalid, "DNS name is cut");
    const auto size = static_cast<std::uint8_t>(message[here]);
    if (size == 0) {
      if (!has_jumped) at = here + 1;
      return name;
    }
    if ((size & 0xc0) == 0xc0) {
      if (here + 2 > message.size()) return fail(Errc::kInvalid, "DNS name is cut");
      const std::size_t target = number16(message, here) & 0x3fff;
      if (!has_jumped) at = here + 2;
      has_jumped = true;
      if (target >= std::min(limit, here)) return fail(Errc::kInvalid, "DNS name points forwards");
      limit = here = target;
      ++jumps;
      continue;
    }
    if ((size & 0xc0) != 0 || here + 1 + size > message.size())
      return fail(Errc::kInvalid, "DNS label is wrong");
    if (!name.empty()) name += '.';
    name.append(message.substr(here + 1, size));
    if (name.size() > 255) return fail(Errc::kInvalid, "DNS name is too long");
    here += 1 + std::size_t{size};
  }
  return fail(Errc::kInvalid, "DNS name has too many pointers");
}

void take_address(std::string_view data, std::uint16_t type, DnsMessage& message) {
  const std::size_t size = type == kTypeA ? 4 : 16;
  if (data.size() != size || message.addresses.size() >= kMaxDnsAddresses) return;
  DnsAddress address;
  address.is_v6 = type == kTypeAaaa;
  std::transform(data.begin(), data.end(), address.bytes.begin(),
                 [](char c) { return static_cast<std::uint8_t>(c); });
  message.addresses.push_back(address);
}

Result<> take_answers(std::string_view bytes, std::size_t at, std::size_t count,
                      DnsMessage& message) {
  message.ttl_seconds = UINT32_MAX;
  for (std::size_t i = 0; i < count; ++i) {
    AISPM_TRY([[maybe_unused]] const std::string owner, take_name(bytes, at));
    if (at + 10 > bytes.size()) return fail(Errc::kInvalid, "DNS answer is cut");
    const std::uint16_t type = number16(bytes, at);
    const std::uint16_t record_class = number16(bytes, at + 2);
    const std::uint32_t ttl =
        static_cast<std::uint32_t>(number16(bytes, at + 4)) << 16 | number16(bytes, at + 6);
    const std::size_t size = number16(bytes, at + 8);
    at += 10;
    if (at + size > bytes.size()) return fail(Errc::kInvalid, "DNS answer is cut");
    if (record_class == kInternet && (type == kTypeA || type == kTypeAaaa || type == kTypeAlias)) {
      message.ttl_seconds = std::min(message.ttl_seconds, ttl);
      if (type != kTypeAlias) take_address(bytes.substr(at, size), type, message);
    }
    at += size;
  }
  if (message.ttl_seconds == UINT32_MAX) message.ttl_seconds = 0;
  return {};
}

}  // namespace

Result<DnsMessage> parse_dns(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return fail(Errc::kInvalid, "DNS message is cut");
  if (bytes.size() > kMaxDnsBytes) return fail(Errc::kTooLarge, "DNS message is too long");
  DnsMessage message;
  const std::uint16_t flags = number16(bytes, 2);
  message.is_answer = (flags & 0x8000) != 0;
  if ((flags & 0x7800) != 0) return fail(Errc::kInvalid, "DNS message is no query");
  if (number16(bytes, 4) != 1) return fail(Errc::kInvalid, "DNS message has not one question");
  std::size_t at = kHeaderBytes;
  AISPM_TRY(const std::string name, take_name(bytes, at));
  if (at + 4 > bytes.size()) return fail(Errc::kInvalid, "DNS question is cut");
  message.name = clean_name(name);
  if (message.name.empty()) return fail(Errc::kInvalid, "DNS question names no host");
  message.type = number16(bytes, at);
  if (!message.is_answer) return message;
  const std::size_t count = number16(bytes, 6);
  if (count > kMaxDnsRecords) return fail(Errc::kTooLarge, "DNS message has too many answers");
  AISPM_CHECK(take_answers(bytes, at + 4, count, message));
  return message;
}

}  // namespace aispm::sensor
