// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "sdk/core/codec/http1.hpp"
#include "sdk/core/codec/http1_bytes.hpp"

namespace aispm::codec::http1 {
namespace {

tl::unexpected<Error> bad(std::string_view what) {
  return fail(Errc::kInvalid, "http head: " + std::string(what));
}

// Calls `use(token)` for each element of a comma-separated list.
template <typename Use>
void for_each_element(std::string_view list, Use use) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    use(trim(list.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
}

// What the headers said, before it is known whether they fit together.
struct Facts {
  bool has_length = false;
  bool has_coding = false;
  bool has_host = false;
  bool close = false;
  bool keep_alive = false;
  bool connection_upgrade = false;
};

Result<> read_length(std::string_view value, Head& head, Facts& facts) {
  if (facts.has_length) return bad("repeated Content-Length");
  facts.has_length = true;
  if (value.empty() || value.size() > kMaxLengthDigits) return bad("malformed Content-Length");
  std::uint64_t length = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return bad("malformed Content-Length");
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  head.declared_length = length;
  return {};
}

Result<> read_host(std::string_view value, Head& head, Facts& facts) {
  if (facts.has_host) return bad("repeated Host");
  facts.has_host = true;
  if (!all_of(value, kHost)) return bad("malformed Host");
  head.host = value;
  return {};
}

// Tabs around the value are allowed, but some take them for a part of it.
Result<> check_framing_line(std::string_view line) {
  if (line.find('\t') != std::string_view::npos) return bad("tab beside a host, length or coding");
  return {};
}

Result<> note_header(const Header& header, std::string_view line, Head& head, Facts& facts) {
  // The length tells most headers apart before any byte is compared.
  switch (header.name.size()) {
    case 4:
      if (equal_name(header.name, "host")) {
        AISPM_CHECK(check_framing_line(line));
        return read_host(header.value, head, facts);
      }
      break;
    case 6:
      if (equal_name(header.name, "expect"))
        head.expects_continue = equal_name(header.value, "100-continue");
      break;
    case 7:
      if (equal_name(header.name, "upgrade")) head.upgrade = header.value;
      break;
    case 10:
      if (equal_name(header.name, "connection")) {
        for_each_element(header.value, [&](std::string_view option) {
          facts.close |= equal_name(option, "close");
          facts.keep_alive |= equal_name(option, "keep-alive");
          facts.connection_upgrade |= equal_name(option, "upgrade");
        });
      }
      break;
    case 12:
      if (equal_name(header.name, "content-type")) head.content_type = header.value;
      break;
    case 14:
      if (equal_name(header.name, "content-length")) {
        AISPM_CHECK(check_framing_line(line));
        return read_length(header.value, head, facts);
      }
      break;
    case 16:
      if (equal_name(header.name, "content-encoding")) {
        if (!head.content_encoding.empty()) return bad("repeated Content-Encoding");
        head.content_encoding = header.value;
      }
      break;
    case 17:
      if (equal_name(header.name, "transfer-encoding")) {
        AISPM_CHECK(check_framing_line(line));
        if (facts.has_coding) return bad("repeated Transfer-Encoding");
        if (!equal_name(header.value, "chunked"))
          return bad("Transfer-Encoding other than chunked");
        facts.has_coding = true;
      }
      break;
    default:
      break;
  }
  return {};
}

Result<> read_version(std::string_view text, Head& head) {
  if (text.size() != 8 || text.substr(0, 7) != "HTTP/1." || (text[7] != '0' && text[7] != '1'))
    return bad("version is not HTTP/1.0 or HTTP/1.1");
  head.minor_version = static_cast<std::uint8_t>(text[7] - '0');
  return {};
}

// RFC 9112 section 3.2. What CONNECT names is its reader's to judge.
bool is_target(std::string_view method, std::string_view target) {
  if (target.front() == '/' || target == "*" || method == "CONNECT") return true;
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return false;
  for (const char c : target.substr(0, scheme))
    if (lower(c) < 'a' || lower(c) > 'z') return false;
  return true;
}

Result<> read_request_line(std::string_view line, Head& head) {
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos || first == 0) return bad("malformed request line");
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos || second == first + 1) return bad("malformed request line");
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, second - first - 1);
  if (!all_of(head.method, kToken)) return bad("malformed method");
  for (const char c : head.target)
    if (c <= 0x20 || c >= 0x7f) return bad("control or non-ASCII byte in the target");
  if (!is_target(head.method, head.target))
    return bad("the target is neither a path nor an absolute URI nor *");
  return read_version(line.substr(second + 1), head);
}

Result<> read_status_line(std::string_view line, Head& head) {
  AISPM_CHECK(read_version(line.substr(0, 8), head));
  // "HTTP/1.1 200" and "HTTP/1.1 200 " and "HTTP/1.1 200 OK" are all in use.
  if (line.size() < 12 || line[8] != ' ' || (line.size() > 12 && line[12] != ' '))
    return bad("malformed status line");
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return bad("malformed status");
    head.status = static_cast<std::uint16_t>(head.status * 10 + (c - '0'));
  }
  if (head.status < 100) return bad("status below 100");
  if (line.size() > 13) head.reason = line.substr(13);
  if (value_prefix(head.reason.data(), head.reason.size()) != head.reason.size())
    return bad("control byte in the reason phrase");
  return {};
}

void choose_body(const Facts& facts, Head& head) {
  if (facts.has_coding) {
    head.body = BodyKind::kChunked;
  } else if (facts.has_length && *head.declared_length > 0) {
    head.body = BodyKind::kLength;
    head.content_length = *head.declared_length;
  }
}

Result<> finish_request(const Facts& facts, Head& head) {
  if (!facts.has_host && head.minor_version == 1) return bad("no Host");
  if (head.method == "CONNECT" && (facts.has_coding || facts.has_length))
    return bad("CONNECT with a body");
  choose_body(facts, head);
  return {};
}

Result<> finish_reply(const Facts& facts, std::string_view request_method, Head& head) {
  const bool interim = head.status < 200;
  head.is_interim = interim && head.status != 101;
  const bool tunnel =
      head.status == 101 || (request_method == "CONNECT" && head.status < 300 && !interim);
  if (interim || head.status == 204 || tunnel) {
    if (facts.has_coding || (facts.has_length && *head.declared_length > 0))
      return bad("a body where the status allows none");
    if (tunnel) head.body = BodyKind::kTunnel;
    return {};
  }
  if (head.status == 304 || request_method == "HEAD") return {};
  choose_body(facts, head);
  if (!facts.has_coding && !facts.has_length) {
    head.body = BodyKind::kUntilClose;
    head.keep_alive = false;
  }
  return {};
}

Result<> finish_head(bool is_request, std::string_view request_method, const Facts& facts,
                     Head& head) {
  if (facts.has_coding && facts.has_length) return bad("both Content-Length and Transfer-Encoding");
  if (facts.has_coding && head.minor_version == 0) return bad("Transfer-Encoding in HTTP/1.0");
  head.keep_alive = !facts.close && (head.minor_version == 1 || facts.keep_alive);
  if (!facts.connection_upgrade) head.upgrade = {};
  return is_request ? finish_request(facts, head) : finish_reply(facts, request_method, head);
}

constexpr std::size_t kMoreHeaders = 12;  // slots added at once: what most heads need

// One line without its CRLF.
Result<Header> read_header(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return bad("folded header line");
  std::size_t colon = 0;
  while (colon < line.size() && kToken[static_cast<unsigned char>(line[colon])]) ++colon;
  if (colon == line.size() || line[colon] != ':' || colon == 0) return bad("malformed header name");
  // All of the line: letters of a name are fine in values, too, and it is long enough for blocks.
  if (value_prefix(line.data(), line.size()) != line.size())
    return bad("control byte in a header value");
  return Header{line.substr(0, colon), trim(line.substr(colon + 1))};
}

}  // namespace

bool equal_name(std::string_view left, std::string_view right) {
  const std::size_t size = left.size();
  if (size != right.size()) return false;
  const char* const a = left.data();
  const char* const b = right.data();
  if (size >= 8) {
    // The last word overlaps the one before it.
    for (std::size_t at = 0; at < size - 8; at += 8)
      if (!equal_words(load_word<8>(a + at), load_word<8>(b + at))) return false;
    return equal_words(load_word<8>(a + size - 8), load_word<8>(b + size - 8));
  }
  if (size >= 4)
    return equal_words(load_word<4>(a), load_word<4>(b)) &&
           equal_words(load_word<4>(a + size - 4), load_word<4>(b + size - 4));
  for (std::size_t i = 0; i < size; ++i)
    if (lower(left[i]) != lower(right[i])) return false;
  return true;
}

std::optional<std::string_view> Head::find(std::string_view name) const {
  for (const Header& header : headers)
    if (header.name.size() == name.size() && equal_name(header.name, name)) return header.value;
  return std::nullopt;
}

HeadParser::HeadParser(Role role) : role_(role) {}

void HeadParser::reset() {
  line_start_ = 0;
  scanned_ = 0;
}

Result<std::optional<Head>> HeadParser::parse(std::string_view buffered,
                                              std::string_view request_method) {
  // Pass 1: find the empty line. Line ends are judged here, so a smuggled LF fails before the head
  // is complete.
  const std::string_view window = buffered.substr(0, kMaxHeadBytes);
  std::size_t head_size = 0;
  while (head_size == 0) {
    const void* found = scanned_ < window.size()
                            ? std::memchr(window.data() + scanned_, '\n', window.size() - scanned_)
                            : nullptr;
    if (found == nullptr) {
      scanned_ = window.size();
      if (buffered.size() >= kMaxHeadBytes)
        return fail(Errc::kTooLarge,
                    "http head: more than " + std::to_string(kMaxHeadBytes) + " bytes");
      return std::nullopt;
    }
    const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - window.data());
    if (end == 0 || window[end - 1] != '\r') return bad("LF without CR");
    const bool is_empty = end - 1 == line_start_;
    if (is_empty && line_start_ == 0) return bad("empty line where a message should start");
    line_start_ = end + 1;
    scanned_ = end + 1;
    if (is_empty) head_size = end + 1;
  }
  reset();

  // Pass 2: read the lines.
  Head head;
  head.size_bytes = head_size;
  Facts facts;
  std::size_t count = 0;
  std::size_t begin = 0;
  for (;;) {
    const char* text = buffered.data() + begin;
    const std::size_t left = head_size - begin;
    const auto* found = static_cast<const char*>(std::memchr(text, '\n', left));
    const std::string_view line(text, static_cast<std::size_t>(found - text) - 1);
    if (begin == 0) {
      AISPM_CHECK(role_ == Role::kRequest ? read_request_line(line, head)
                                          : read_status_line(line, head));
    } else if (line.empty()) {
      break;
    } else {
      if (count == kMaxHeaders)
        return fail(Errc::kTooLarge,
                    "http head: more than " + std::to_string(kMaxHeaders) + " headers");
      if (count == headers_.size()) headers_.resize(count + kMoreHeaders);
      AISPM_TRY(headers_[count], read_header(line));
      AISPM_CHECK(note_header(headers_[count], line, head, facts));
      ++count;
    }
    begin += line.size() + 2;
  }
  head.headers = std::span<const Header>(headers_.data(), count);
  AISPM_CHECK(finish_head(role_ == Role::kRequest, request_method, facts, head));
  return std::optional<Head>(head);
}

}  // namespace aispm::codec::http1
