// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/encoded.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "sdk/core/detect/normalise.hpp"

namespace aispm::detect {
namespace {

constexpr std::uint8_t kNone = 0xff;
constexpr std::size_t kMimeLine = 60;     // a line at least this long may go on in the next
constexpr std::size_t kSampleBytes = 48;  // of base64 looked at before all of a long run is decoded
constexpr std::size_t kSamples = 8;
constexpr std::size_t kLongRun = 1024;

constexpr std::array<std::uint8_t, 256> make_base64() {
  std::array<std::uint8_t, 256> values{};
  for (auto& value : values) value = kNone;
  for (unsigned i = 0; i < 26; ++i) {
    values['A' + i] = static_cast<std::uint8_t>(i);
    values['a' + i] = static_cast<std::uint8_t>(26 + i);
  }
  for (unsigned i = 0; i < 10; ++i) values['0' + i] = static_cast<std::uint8_t>(52 + i);
  values['+'] = values['-'] = 62;
  values['/'] = values['_'] = 63;
  return values;
}
constexpr auto kBase64 = make_base64();

constexpr std::uint8_t kIsBase64 = 1;
constexpr std::uint8_t kIsBinary = 2;
constexpr std::uint8_t kIsMorse = 4;
constexpr std::uint8_t kIsCode = 8;
constexpr std::size_t kMinCodes = 6;  // in a list; fewer are no words

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned i = 0; i < 256; ++i)
    if (kBase64[i] != kNone) classes[i] |= kIsBase64;
  for (const char c : {'0', '1', ' ', '\n', ',', '\r'})
    classes[static_cast<std::uint8_t>(c)] |= kIsBinary;
  for (const char c : {'.', '-', ' ', '/', '|', '\n', '\r'})
    classes[static_cast<std::uint8_t>(c)] |= kIsMorse;
  for (const char c : std::string_view("0123456789abcdefABCDEFxX ,;:\n\r"))
    classes[static_cast<std::uint8_t>(c)] |= kIsCode;
  return classes;
}
constexpr auto kClasses = make_classes();

std::uint8_t base64_value(char c) { return kBase64[static_cast<std::uint8_t>(c)]; }
bool is_line_end(char c) { return c == '\n' || c == '\r'; }
bool is_gap(char c) { return c == ' ' || c == ',' || is_line_end(c); }

std::uint8_t hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return kNone;
}

bool decode_hex(std::string_view run, std::string& out) {
  out.clear();
  if (run.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < run.size(); i += 2) {
    const std::uint8_t high = hex_value(run[i]);
    const std::uint8_t low = hex_value(run[i + 1]);
    if (high == kNone || low == kNone) return false;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

void decode_base64(std::string_view run, std::string& out) {
  out.clear();
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : run) {
    const std::uint8_t value = base64_value(c);
    if (value == kNone) continue;  // ends of lines
    bits = (bits << 6) | value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>((bits >> count) & 0xff));
  }
}

// UTF-16 of ASCII (PowerShell's -EncodedCommand) becomes ASCII; anything else stays.
void narrow_wide(std::string& bytes) {
  const std::size_t pairs = bytes.size() / 2;
  // Behind a byte order mark, if there is one. Most bytes are no UTF-16, so this is asked first.
  if (pairs < kMinCodes || (bytes[2] != '\0' && bytes[3] != '\0')) return;
  for (const std::size_t high : {std::size_t{1}, std::size_t{0}}) {  // little endian is usual
    std::size_t zeros = 0;
    for (std::size_t i = high; i < 2 * pairs; i += 2) zeros += bytes[i] == '\0' ? 1 : 0;
    if (zeros * 10 < pairs * 9) continue;
    for (std::size_t i = 0; i < pairs; ++i) bytes[i] = bytes[2 * i + 1 - high];
    bytes.resize(pairs);
    return;
  }
}

// Whether some part of a long run is text; pictures and archives are not, and cost no more.
bool is_worth_decoding(std::string_view run, std::string& out) {
  if (run.size() <= kLongRun) return true;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const std::size_t at = (run.size() - kSampleBytes) / (kSamples - 1) * i / 4 * 4;
    decode_base64(run.substr(at, kSampleBytes), out);
    narrow_wide(out);
    if (is_mostly_text(out)) return true;
  }
  return false;
}

bool decode_binary(std::string_view run, std::string& out) {
  out.clear();
  unsigned value = 0;
  unsigned bits = 0;
  for (std::size_t i = 0; i <= run.size(); ++i) {
    if (i < run.size() && !is_gap(run[i])) {
      value = value * 2 + static_cast<unsigned>(run[i] - '0');
      ++bits;
    }
    const bool ends = i == run.size() || is_gap(run[i]);
    if (bits == 8 || (ends && bits == 7)) {
      out.push_back(static_cast<char>(value));
      value = bits = 0;
    } else if (ends && bits != 0) {
      return false;
    }
  }
  return out.size() >= 3;
}

// ITU-R M.1677-1. Index: a leading 1, then 0 for a dot and 1 for a dash.
constexpr std::array<char, 128> make_morse() {
  std::array<char, 128> letters{};
  constexpr std::string_view kCodes[] = {
      ".-A",     "-...B",   "-.-.C",  "-..D",   ".E",      "..-.F",   "--.G",    "....H",
      "..I",     ".---J",   "-.-K",   ".-..L",  "--M",     "-.N",     "---O",    ".--.P",
      "--.-Q",   ".-.R",    "...S",   "-T",     "..-U",    "...-V",   ".--W",    "-..-X",
      "-.--Y",   "--..Z",   "-----0", ".----1", "..---2",  "...--3",  "....-4",  ".....5",
      "-....6",  "--...7",  "---..8", "----.9", ".-.-.-.", "--..--,", "..--..?", "-.-.--!",
      "---...:", ".----.'", "-....--"};
  for (const std::string_view code : kCodes) {
    unsigned index = 1;
    for (const char c : code.substr(0, code.size() - 1)) index = index * 2 + (c == '-' ? 1 : 0);
    const char letter = code.back();
    letters[index] = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  }
  return letters;
}
constexpr auto kMorse = make_morse();

bool decode_morse(std::string_view run, std::string& out) {
  out.clear();
  // Lines of tables (`|---|---|`) and rows of dots.
  if (run.find('.') == std::string_view::npos || run.find('-') == std::string_view::npos)
    return false;
  unsigned index = 1;
  unsigned spaces = 0;
  for (std::size_t i = 0; i <= run.size(); ++i) {
    const char c = i < run.size() ? run[i] : ' ';
    if (c == '.' || c == '-') {
      if (spaces >= 3 && !out.empty() && out.back() != ' ') out.push_back(' ');
      spaces = 0;
      index = index * 2 + (c == '-' ? 1 : 0);
      if (index >= kMorse.size()) return false;
      continue;
    }
    if (index != 1) {
      if (kMorse[index] == 0) return false;
      out.push_back(kMorse[index]);
      index = 1;
    }
    if (c == '/' || c == '|') {
      if (!out.empty() && out.back() != ' ') out.push_back(' ');
    } else {
      ++spaces;
    }
  }
  return std::count_if(out.begin(), out.end(), [](char c) { return c >= 'a' && c <= 'z'; }) >= 4;
}

// The byte that a list's item stands for: "49" or "0x49", or with base 10 "73".
std::optional<std::uint8_t> code_of(std::string_view item, unsigned base) {
  const bool is_marked = item.starts_with("0x") || item.starts_with("0X");
  if (is_marked && base == 10) return std::nullopt;
  if (is_marked) item.remove_prefix(2);
  const bool fits = base == 10 ? !item.empty() && item.size() <= 3
                               : item.size() == 2 || (is_marked && item.size() == 1);
  if (!fits) return std::nullopt;
  unsigned value = 0;
  for (const char c : item) {
    const std::uint8_t digit = hex_value(c);
    if (digit >= base) return std::nullopt;  // kNone is more than any base
    value = value * base + digit;
  }
  if (value > 0xff) return std::nullopt;
  return static_cast<std::uint8_t>(value);
}

// Letters, digits and spaces, but for one in seven: numbers by chance are not.
bool is_like_words(std::string_view text) {
  const auto others = std::count_if(text.begin(), text.end(), [](char c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return !is_letter && !(c >= '0' && c <= '9') && c != ' ';
  });
  return static_cast<std::size_t>(others) * 7 <= text.size();
}

// The first stretch of a list that is codes, each by itself. What stands around it may be of the
// same characters ("code: 49 67").
bool decode_codes(std::string_view run, unsigned base, std::string& out) {
  constexpr std::string_view kGaps = " ,;:\n\r";
  out.clear();
  while (!run.empty()) {
    const std::size_t begin = std::min(run.find_first_not_of(kGaps), run.size());
    const std::size_t end = std::min(run.find_first_of(kGaps, begin), run.size());
    if (const auto code = code_of(run.substr(begin, end - begin), base)) {
      out.push_back(static_cast<char>(*code));
    } else if (end > begin) {
      if (out.size() >= kMinCodes) break;
      out.clear();
    }
    run.remove_prefix(end);
  }
  return out.size() >= kMinCodes && is_mostly_text(out) && is_like_words(out);
}

std::uint8_t class_of(Trick trick) {
  switch (trick) {
    case Trick::kBinary:
      return kIsBinary;
    case Trick::kMorse:
      return kIsMorse;
    case Trick::kHex:
      return kIsCode;
    default:
      return kIsBase64;
  }
}

// The end of a run that goes on over the ends of full lines.
std::size_t end_of_lines(std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t line = begin;
  while (end < text.size() && is_line_end(text[end]) && end - line >= kMimeLine) {
    std::size_t next = end;
    while (next < text.size() && next < end + 2 && is_line_end(text[next])) ++next;
    std::size_t last = next;
    while (last < text.size() && base64_value(text[last]) != kNone) ++last;
    if (last == next) break;
    line = next;
    end = last;
  }
  return end;
}

}  // namespace

bool is_mostly_text(std::string_view text) {
  if (text.empty()) return false;
  std::size_t strange = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if (byte < 0x80) {
      strange += (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7f;
      ++i;
      continue;
    }
    const Decoded unit = decode_utf8(text, i);
    const bool cut = unit.size == 0;  // the end of a group may cut a character
    strange += unit.code_point == kInvalidByte ? 1 : 0;
    i += cut ? text.size() : unit.size;
  }
  return strange * 10 <= text.size();
}

std::optional<EncodedRun> find_encoded_run(std::string_view text, std::size_t from, Trick trick) {
  const std::uint8_t wanted = class_of(trick);
  const auto is_of = [&](std::size_t at) {
    return (kClasses[static_cast<std::uint8_t>(text[at])] & wanted) != 0;
  };
  // A run that is long enough covers a multiple of its minimum, so most bytes are never looked at.
  for (std::size_t probe = from + kMinEncodedRun - 1; probe < text.size();) {
    if (!is_of(probe)) {
      probe += kMinEncodedRun;
      continue;
    }
    std::size_t begin = probe;
    while (begin > from && is_of(begin - 1)) --begin;
    std::size_t end = probe + 1;
    while (end < text.size() && is_of(end)) ++end;
    probe = end + kMinEncodedRun;
    if (wanted == kIsBase64) {
      if (end - begin < kMinEncodedRun) continue;
      return EncodedRun{begin, end_of_lines(text, begin, end) - begin, trick};
    }
    while (begin < end && is_gap(text[begin])) ++begin;
    while (end > begin && is_gap(text[end - 1])) --end;
    if (end - begin >= kMinEncodedRun) return EncodedRun{begin, end - begin, trick};
  }
  return std::nullopt;
}

std::optional<Trick> decode_run(std::string_view run, Trick trick, std::string& out) {
  if (trick == Trick::kBinary)
    return decode_binary(run, out) && is_mostly_text(out) ? std::optional(trick) : std::nullopt;
  if (trick == Trick::kHex) {
    const bool is_list = decode_codes(run, 16, out) || decode_codes(run, 10, out);
    return is_list ? std::optional(trick) : std::nullopt;
  }
  if (trick == Trick::kMorse) return decode_morse(run, out) ? std::optional(trick) : std::nullopt;
  if (decode_hex(run, out) && is_mostly_text(out)) return Trick::kHex;
  if (!is_worth_decoding(run, out)) return std::nullopt;
  // What stands before the data without a border ("/", "-") shifts it.
  for (std::size_t shift = 0; shift < 4; ++shift) {
    const std::string_view shifted = run.substr(shift);
    if (shift > 0) {
      decode_base64(shifted.substr(0, kSampleBytes), out);
      if (!is_mostly_text(out)) continue;
    }
    decode_base64(shifted, out);
    if (shift == 0) narrow_wide(out);
    if (run.size() > kLongRun || is_mostly_text(out)) return Trick::kBase64;
  }
  return std::nullopt;
}

bool decode_packed(std::string_view run, std::string& out) {
  // gzip: 1f 8b 08; zlib: 78 and 01, 5e, 9c or da.
  const bool packed = run.starts_with("H4sI") || run.starts_with("eJ") || run.starts_with("eAE") ||
                      run.starts_with("eF4") || run.starts_with("eNo");
  if (!packed) return false;
  decode_base64(run, out);
  return true;
}

struct Inflater::State {
  z_stream stream{};
  bool open = false;
  ~State() {
    if (open) inflateEnd(&stream);
  }
};

Inflater::Inflater() : state_(std::make_unique<State>()) {
  constexpr int kGzipOrZlib = 15 + 32;
  state_->open = inflateInit2(&state_->stream, kGzipOrZlib) == Z_OK;
}
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;
Inflater::~Inflater() = default;

Inflater::Outcome Inflater::inflate(std::string_view data, std::string& out) {
  State& own = *state_;
  out.clear();
  if (!own.open || inflateReset(&own.stream) != Z_OK) return Outcome::kNot;
  out.resize(kMaxInflatedBytes);
  own.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));  // read only
  own.stream.avail_in = static_cast<uInt>(std::min<std::size_t>(data.size(), UINT32_MAX));
  own.stream.next_out = reinterpret_cast<Bytef*>(out.data());
  own.stream.avail_out = static_cast<uInt>(out.size());
  const int status = ::inflate(&own.stream, Z_SYNC_FLUSH);
  out.resize(out.size() - own.stream.avail_out);
  if (out.empty()) return Outcome::kNot;
  return status == Z_OK && own.stream.avail_out == 0 ? Outcome::kCut : Outcome::kWhole;
}

}  // namespace aispm::detect
