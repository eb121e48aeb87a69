// SPDX-License-Identifier: Apache-2.0
#include "sensor/decode/names_quic.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <optional>

#include "sdk/core/common/c_ptr.hpp"
#include "sensor/decode/names_tls.hpp"

namespace aispm::sensor {
namespace {

using Cipher = CPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kSampleBytes = 16;
constexpr std::size_t kMaxIdBytes = 20;
constexpr std::size_t kMaxFrames = 256;
constexpr std::uint32_t kVersion1 = 1;
constexpr std::uint32_t kVersion2 = 0x6b3343cf;

constexpr std::string_view kSalt1(
    "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a", 20);
constexpr std::string_view kSalt2(
    "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9", 20);

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string hmac_sha256(std::string_view key, std::string_view data) {
  std::string out(32, '\0');
  unsigned size = 0;
  if (::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(data), data.size(),
             bytes_of(out), &size) == nullptr)
    return "";
  return out;
}

// HKDF-Expand-Label of RFC 8446 section 7.1, for at most one block.
std::string expand_label(std::string_view secret, std::string_view label, std::size_t size) {
  std::string info = {'\0', static_cast<char>(size), static_cast<char>(6 + label.size())};
  info += "tls13 ";
  info += label;
  info += '\0';
  info += '\1';
  std::string out = hmac_sha256(secret, info);
  out.resize(std::min(out.size(), size));
  return out;
}

struct Keys {
  std::string key;
  std::string iv;
  std::string header;
};

Keys make_keys(std::uint32_t version, std::string_view id) {
  const std::string_view prefix = version == kVersion2 ? "quicv2 " : "quic ";
  const auto label = [&](const char* name) { return std::string(prefix) + name; };
  const std::string initial = hmac_sha256(version == kVersion2 ? kSalt2 : kSalt1, id);
  const std::string client = expand_label(initial, "client in", 32);
  return {expand_label(client, label("key"), 16), expand_label(client, label("iv"), 12),
          expand_label(client, label("hp"), 16)};
}

std::optional<std::string> header_mask(const Keys& keys, std::string_view sample) {
  const Cipher cipher(::EVP_CIPHER_CTX_new());
  std::string mask(2 * kSampleBytes, '\0');
  int size = 0;
  if (!cipher ||
      ::EVP_EncryptInit_ex(cipher.get(), EVP_aes_128_ecb(), nullptr, bytes_of(keys.header),
                           nullptr) != 1 ||
      ::EVP_EncryptUpdate(cipher.get(), bytes_of(mask), &size, bytes_of(sample),
                          static_cast<int>(sample.size())) != 1)
    return std::nullopt;
  return mask;
}

Result<std::string> decrypt(const Keys& keys, std::uint64_t number, std::string_view header,
                            std::string_view sealed) {
  std::string nonce = keys.iv;
  for (std::size_t i = 0; i < 8; ++i)
    nonce[nonce.size() - 1 - i] =
        static_cast<char>(nonce[nonce.size() - 1 - i] ^ static_cast<char>(number >> (8 * i)));
  const std::string_view text = sealed.substr(0, sealed.size() - kTagBytes);
  std::string tag(sealed.substr(text.size()));
  std::string plain(text.size() + 16, '\0');
  const Cipher cipher(::EVP_CIPHER_CTX_new());
  int size = 0;
  int last = 0;
  if (!cipher ||
      ::EVP_DecryptInit_ex(cipher.get(), EVP_aes_128_gcm(), nullptr, bytes_of(keys.key),
                           bytes_of(nonce)) != 1 ||
      ::EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes_of(header),
                          static_cast<int>(header.size())) != 1 ||
      ::EVP_DecryptUpdate(cipher.get(), bytes_of(plain), &size, bytes_of(text),
                          static_cast<int>(text.size())) != 1 ||
      ::EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) != 1 ||
      ::EVP_DecryptFinal_ex(cipher.get(), bytes_of(plain) + size, &last) != 1)
    return fail(Errc::kInvalid, "QUIC packet that these keys do not open");
  plain.resize(text.size());
  return plain;
}

// Takes from the front; nothing when there is not enough.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::optional<std::string_view> take(std::uint64_t size) {
    if (size > rest_.size()) return std::nullopt;
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::optional<std::uint64_t> number(std::size_t size) {
    const auto bytes = take(size);
    if (!bytes) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : *bytes) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  // A variable-length integer: RFC 9000 section 16.
  std::optional<std::uint64_t> varint() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t size = std::size_t{1} << (static_cast<std::uint8_t>(rest_[0]) >> 6);
    const auto value = number(size);
    if (!value) return std::nullopt;
    return size == 8 ? *value & 0x3fffffffffffffff : *value & ((1ULL << (8 * size - 2)) - 1);
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

Result<> take_ack(Reader& frames, bool has_ecn) {
  const auto largest = frames.varint();
  const auto delay = frames.varint();
  const auto ranges = frames.varint();
  const auto first = frames.varint();
  bool is_good = largest && delay && ranges && first && *ranges <= kMaxFrames;
  for (std::uint64_t i = 0; is_good && i < 2 * *ranges; ++i) is_good = frames.varint().has_value();
  for (int i = 0; is_good && has_ecn && i < 3; ++i) is_good = frames.varint().has_value();
  if (!is_good) return fail(Errc::kInvalid, "QUIC ACK frame is wrong");
  return {};
}

Result<> take_frames(std::string_view payload, QuicCrypto& out) {
  Reader frames(payload);
  for (std::size_t count = 0; !frames.rest().empty();) {
    const auto type = frames.varint();
    if (!type) return fail(Errc::kInvalid, "QUIC frame is cut");
    if (*type == 0 || *type == 1) continue;  // padding, ping
    if (++count > kMaxFrames) return fail(Errc::kTooLarge, "QUIC packet with too many frames");
    if (*type == 2 || *type == 3) {
      AISPM_CHECK(take_ack(frames, *type == 3));
      continue;
    }
    if (*type != 6) return {};  // CONNECTION_CLOSE: nothing of interest follows
    const auto offset = frames.varint();
    const auto size = frames.varint();
    const auto bytes = size ? frames.take(*size) : std::nullopt;
    if (!offset || !bytes) return fail(Errc::kInvalid, "QUIC CRYPTO frame is cut");
    if (*offset > kMaxHelloBytes) continue;
    out.parts.push_back({*offset, std::string(*bytes)});
  }
  return {};
}

// One packet at the front of `datagram`, which is then behind it.
Result<> open_packet(std::string_view& datagram, std::string_view key_id, QuicCrypto& out) {
  Reader reader(datagram);
  const auto first = reader.number(1);
  const auto version = reader.number(4);
  if (!first || !version || (*first & 0xc0) != 0xc0)
    return fail(Errc::kInvalid, "no QUIC packet with a long header");
  const auto number = static_cast<std::uint32_t>(*version);
  if (number != kVersion1 && number != kVersion2)
    return fail(Errc::kUnsupported, "QUIC version is unknown");
  const auto take_id = [&reader]() -> std::optional<std::string_view> {
    const auto size = reader.number(1);
    return size && *size <= kMaxIdBytes ? reader.take(*size) : std::nullopt;
  };
  const auto destination = take_id();
  const auto source = destination ? take_id() : std::nullopt;
  if (!source || ((*first >> 4) & 3) != (number == kVersion2 ? 1U : 0U))
    return fail(Errc::kInvalid, "no QUIC Initial packet");
  const auto token_size = reader.varint();
  const auto token = token_size ? reader.take(*token_size) : std::nullopt;
  const auto length = token ? reader.varint() : std::nullopt;
  const std::size_t at = datagram.size() - reader.rest().size();  // of the packet number
  const auto protected_part = length ? reader.take(*length) : std::nullopt;
  if (!protected_part || protected_part->size() < 4 + kSampleBytes)
    return fail(Errc::kInvalid, "QUIC packet is cut");
  if (key_id.empty()) key_id = *destination;
  const Keys keys = make_keys(number, key_id);
  const auto mask = header_mask(keys, protected_part->substr(4, kSampleBytes));
  if (!mask) return fail(Errc::kInvalid, "QUIC header cannot be read");
  std::string header(datagram.substr(0, at));
  header[0] = static_cast<char>(header[0] ^ ((*mask)[0] & 0x0f));
  const std::size_t number_size = (static_cast<std::uint8_t>(header[0]) & 3) + std::size_t{1};
  std::uint64_t packet_number = 0;
  for (std::size_t i = 0; i < number_size; ++i) {
    header += static_cast<char>((*protected_part)[i] ^ (*mask)[1 + i]);
    packet_number = packet_number << 8 | static_cast<std::uint8_t>(header.back());
  }
  AISPM_TRY(const std::string payload,
            decrypt(keys, packet_number, header, protected_part->substr(number_size)));
  out.key_id = key_id;
  datagram = reader.rest();
  return take_frames(payload, out);
}

}  // namespace

Result<QuicCrypto> open_quic_initial(std::string_view datagram, std::string_view key_id) {
  QuicCrypto out;
  AISPM_CHECK(open_packet(datagram, key_id, out));
  // Further packets of the datagram: Initial ones, then others, which are not for us.
  for (int i = 0; i < 4 && !datagram.empty(); ++i)
    if (!open_packet(datagram, key_id.empty() ? std::string(out.key_id) : std::string(key_id), out))
      break;
  return out;
}

}  // namespace aispm::sensor
