// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/inflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <string>

namespace aispm::sensor {
namespace {

constexpr int kGzipWindow = 16 + MAX_WBITS;
constexpr int kZlibWindow = MAX_WBITS;
constexpr int kRawWindow = -MAX_WBITS;

// RFC 1950: compression method 8 and a check over the first two bytes; else it is raw deflate.
bool is_zlib_header(unsigned char first, unsigned char second) {
  return (first & 0x0F) == 8 && (first * 256U + second) % 31 == 0;
}

}  // namespace

struct Inflater::State {
  explicit State(Format stream_format) : format(stream_format) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (begun) inflateEnd(&stream);
  }

  Result<> begin() {
    int window = kGzipWindow;
    if (format == Format::kDeflate) {
      window =
          is_zlib_header(static_cast<unsigned char>(start[0]), static_cast<unsigned char>(start[1]))
              ? kZlibWindow
              : kRawWindow;
    }
    if (inflateInit2(&stream, window) != Z_OK) return fail(Errc::kExhausted, "inflate: no memory");
    begun = true;
    return {};
  }

  Result<> run(std::string_view bytes, const std::function<void(std::string_view)>& use) {
    std::array<char, 16384> out;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    while (stream.avail_in > 0 && !ended) {
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      const int status = inflate(&stream, Z_SYNC_FLUSH);
      const std::size_t size = out.size() - stream.avail_out;
      if (size > 0) {
        total_out += size;
        AISPM_CHECK(check_limits());
        use({out.data(), size});
      }
      if (status == Z_STREAM_END) {
        ended = true;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        return fail(Errc::kInvalid, "inflate: broken stream");
      } else if (status == Z_BUF_ERROR && size == 0) {
        break;
      }
    }
    return {};
  }

  Result<> check_limits() const {
    if (total_out > kMaxInflatedBytes ||
        (total_out > kInflateRatioFloorBytes && total_out / kMaxInflateRatio > total_in))
      return fail(Errc::kTooLarge, "inflate: more than " + std::to_string(kMaxInflatedBytes) +
                                       " bytes or " + std::to_string(kMaxInflateRatio) + "-fold");
    return {};
  }

  Format format;
  z_stream stream{};
  std::string start;  // the two bytes that tell zlib from raw deflate
  bool begun = false;
  bool ended = false;
  bool failed = false;
  std::uint64_t total_in = 0;
  std::uint64_t total_out = 0;
};

Inflater::Inflater(Format format) : state_(std::make_unique<State>(format)) {}
Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;

Result<> Inflater::feed(std::string_view bytes, const std::function<void(std::string_view)>& use) {
  State& state = *state_;
  if (state.failed) return fail(Errc::kInvalid, "inflate: failed before");
  state.total_in += bytes.size();
  if (!state.begun) {
    const std::size_t taken = std::min<std::size_t>(bytes.size(), 2 - state.start.size());
    state.start.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (state.start.size() < 2) return {};
    AISPM_CHECK(state.begin());
    if (auto result = state.run(state.start, use); !result) {
      state.failed = true;
      return result;
    }
  }
  auto result = state.run(bytes, use);
  state.failed = !result.has_value();
  return result;
}

}  // namespace aispm::sensor
