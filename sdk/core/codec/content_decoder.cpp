// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/content_decoder.hpp"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <string>

#include "sdk/core/codec/http1.hpp"
#include "sdk/core/common/c_ptr.hpp"

namespace aispm::codec {
namespace {

constexpr int kGzipWindow = 16 + MAX_WBITS;
constexpr int kZlibWindow = MAX_WBITS;
constexpr int kRawWindow = -MAX_WBITS;
constexpr std::size_t kPieceBytes = 16384;
// Input given to a decoder at once: the ratio is judged by what was read so far, and zlib counts in
// 32 bits.
constexpr std::size_t kFeedBytes = 64U << 10;
constexpr unsigned char kGzipMagic = 0x1F;

using BrotliDecoder = CPtr<BrotliDecoderState, BrotliDecoderDestroyInstance>;
using ZstdDecoder = CPtr<ZSTD_DStream, ZSTD_freeDStream>;

// RFC 1950: compression method 8 and a check over the first two bytes; else it is raw deflate.
bool is_zlib_header(unsigned char first, unsigned char second) {
  return (first & 0x0F) == 8 && (first * 256U + second) % 31 == 0;
}

tl::unexpected<Error> broken(std::string_view coding) {
  return fail(Errc::kInvalid, "content coding " + std::string(coding) + ": broken stream");
}

}  // namespace

class ContentDecoder::Stage {
 public:
  Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  virtual ~Stage() = default;

  // emit(piece) may refuse (a limit): its error is passed on.
  using Emit = std::function<Result<>(std::string_view)>;
  virtual Result<> run(std::string_view bytes, const Emit& emit) = 0;
  // The stream's own end was seen, or nothing came at all.
  virtual bool is_complete() const = 0;

  std::uint64_t total_out = 0;
  std::uint64_t trailing_bytes = 0;
};

namespace {

class ZlibStage : public ContentDecoder::Stage {
 public:
  explicit ZlibStage(bool is_gzip) : is_gzip_(is_gzip) {}
  ~ZlibStage() override {
    if (begun_) inflateEnd(&stream_);
  }

  Result<> run(std::string_view bytes, const Emit& emit) override {
    if (!begun_) {
      const std::size_t taken = std::min<std::size_t>(bytes.size(), 2 - start_.size());
      start_.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      if (start_.size() < 2) return {};
      AISPM_CHECK(begin());
      AISPM_CHECK(inflate_all(start_, emit));
    }
    return inflate_all(bytes, emit);
  }

  bool is_complete() const override { return ended_ || (!begun_ && start_.empty()); }

 private:
  Result<> begin() {
    int window = kGzipWindow;
    if (!is_gzip_) {
      const bool is_zlib = is_zlib_header(static_cast<unsigned char>(start_[0]),
                                          static_cast<unsigned char>(start_[1]));
      window = is_zlib ? kZlibWindow : kRawWindow;
    }
    if (inflateInit2(&stream_, window) != Z_OK)
      return fail(Errc::kExhausted, "content coding deflate: no memory");
    begun_ = true;
    return {};
  }

  Result<> inflate_all(std::string_view bytes, const Emit& emit) {
    std::array<char, kPieceBytes> out;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    while (stream_.avail_in > 0) {
      if (ended_) {
        // RFC 1952: a gzip file is a series of members.
        if (!is_gzip_ || *stream_.next_in != kGzipMagic || trailing_bytes > 0) {
          trailing_bytes += stream_.avail_in;
          return {};
        }
        if (inflateReset(&stream_) != Z_OK) return broken("gzip");
        ended_ = false;
      }
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = static_cast<uInt>(out.size());
      const int status = inflate(&stream_, Z_SYNC_FLUSH);
      const std::size_t size = out.size() - stream_.avail_out;
      if (size > 0) AISPM_CHECK(emit({out.data(), size}));
      if (status == Z_STREAM_END) {
        ended_ = true;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        return broken(is_gzip_ ? "gzip" : "deflate");
      } else if (status == Z_BUF_ERROR && size == 0) {
        break;
      }
    }
    return flush(out, emit);
  }

  // Output that a full piece left inside.
  Result<> flush(std::array<char, kPieceBytes>& out, const Emit& emit) {
    while (!ended_ && stream_.avail_out == 0) {
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = static_cast<uInt>(out.size());
      const int status = inflate(&stream_, Z_SYNC_FLUSH);
      const std::size_t size = out.size() - stream_.avail_out;
      if (size > 0) AISPM_CHECK(emit({out.data(), size}));
      if (status == Z_STREAM_END) ended_ = true;
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        return broken(is_gzip_ ? "gzip" : "deflate");
    }
    return {};
  }

  z_stream stream_{};
  std::string start_;  // the two bytes that tell zlib from raw deflate
  bool is_gzip_;
  bool begun_ = false;
  bool ended_ = false;
};

class BrotliStage : public ContentDecoder::Stage {
 public:
  BrotliStage() : decoder_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}

  Result<> run(std::string_view bytes, const Emit& emit) override {
    if (!decoder_) return fail(Errc::kExhausted, "content coding br: no memory");
    std::array<std::uint8_t, kPieceBytes> out;
    std::size_t left = bytes.size();
    auto next = reinterpret_cast<const std::uint8_t*>(bytes.data());
    begun_ = begun_ || left > 0;
    for (bool more = left > 0; more;) {
      if (BrotliDecoderIsFinished(decoder_.get()) == BROTLI_TRUE) break;
      std::uint8_t* begin = out.data();
      std::size_t room = out.size();
      const BrotliDecoderResult status =
          BrotliDecoderDecompressStream(decoder_.get(), &left, &next, &room, &begin, nullptr);
      if (const std::size_t size = out.size() - room; size > 0)
        AISPM_CHECK(emit({reinterpret_cast<const char*>(out.data()), size}));
      if (status == BROTLI_DECODER_RESULT_ERROR) return broken("br");
      more = status == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    }
    trailing_bytes += left;
    return {};
  }

  bool is_complete() const override {
    return !begun_ || (decoder_ && BrotliDecoderIsFinished(decoder_.get()) == BROTLI_TRUE);
  }

 private:
  BrotliDecoder decoder_;
  bool begun_ = false;
};

class ZstdStage : public ContentDecoder::Stage {
 public:
  ZstdStage() : decoder_(ZSTD_createDStream()) {
    if (decoder_) ZSTD_DCtx_setParameter(decoder_.get(), ZSTD_d_windowLogMax, kMaxZstdWindowLog);
  }

  Result<> run(std::string_view bytes, const Emit& emit) override {
    if (!decoder_) return fail(Errc::kExhausted, "content coding zstd: no memory");
    std::array<char, kPieceBytes> out;
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    bool is_full = false;
    while (input.pos < input.size || is_full) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      const std::size_t status = ZSTD_decompressStream(decoder_.get(), &output, &input);
      if (output.pos > 0) AISPM_CHECK(emit({out.data(), output.pos}));
      if (ZSTD_isError(status) != 0) return broken("zstd");
      at_frame_end_ = status == 0;
      is_full = output.pos == output.size && !at_frame_end_;
    }
    return {};
  }

  bool is_complete() const override { return at_frame_end_; }

 private:
  ZstdDecoder decoder_;
  bool at_frame_end_ = true;
};

std::unique_ptr<ContentDecoder::Stage> make_stage(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::kGzip:
      return std::make_unique<ZlibStage>(true);
    case ContentCoding::kDeflate:
      return std::make_unique<ZlibStage>(false);
    case ContentCoding::kBrotli:
      return std::make_unique<BrotliStage>();
    case ContentCoding::kZstd:
      break;
  }
  return std::make_unique<ZstdStage>();
}

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<ContentCoding> find_coding(std::string_view token) {
  if (http1::equal_name(token, "gzip") || http1::equal_name(token, "x-gzip"))
    return ContentCoding::kGzip;
  if (http1::equal_name(token, "deflate")) return ContentCoding::kDeflate;
  if (http1::equal_name(token, "br")) return ContentCoding::kBrotli;
  if (http1::equal_name(token, "zstd")) return ContentCoding::kZstd;
  return std::nullopt;
}

ContentDecoder::ContentDecoder(ContentCoding coding, DecodeLimits limits) : limits_(limits) {
  stages_.push_back(make_stage(coding));
}
ContentDecoder::ContentDecoder(DecodeLimits limits) : limits_(limits) {}
ContentDecoder::~ContentDecoder() = default;
ContentDecoder::ContentDecoder(ContentDecoder&&) noexcept = default;
ContentDecoder& ContentDecoder::operator=(ContentDecoder&&) noexcept = default;

Result<ContentDecoder> ContentDecoder::open(std::string_view content_encoding,
                                            DecodeLimits limits) {
  ContentDecoder decoder(limits);
  while (!content_encoding.empty()) {
    const std::size_t comma = content_encoding.find(',');
    const std::string_view token = trimmed(content_encoding.substr(0, comma));
    content_encoding =
        comma == std::string_view::npos ? std::string_view() : content_encoding.substr(comma + 1);
    if (token.empty() || http1::equal_name(token, "identity")) continue;
    const auto coding = find_coding(token);
    if (!coding) return fail(Errc::kUnsupported, "content coding not supported");
    if (decoder.stages_.size() == kMaxContentCodings)
      return fail(Errc::kTooLarge,
                  "more than " + std::to_string(kMaxContentCodings) + " content codings");
    decoder.stages_.insert(decoder.stages_.begin(), make_stage(*coding));
  }
  return decoder;
}

Result<> ContentDecoder::feed(std::string_view bytes, const Use& use) {
  if (failed_) return fail(Errc::kInvalid, "content coding: failed before");
  if (stages_.empty()) {
    if (!bytes.empty()) use(bytes);
    return {};
  }
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kFeedBytes);
    bytes.remove_prefix(part.size());
    total_in_ += part.size();
    if (auto result = feed_stage(0, part, use); !result) {
      failed_ = true;
      return result;
    }
  }
  return {};
}

Result<> ContentDecoder::feed_stage(std::size_t stage, std::string_view bytes, const Use& use) {
  Stage& mine = *stages_[stage];
  return mine.run(bytes, [&](std::string_view piece) -> Result<> {
    mine.total_out += piece.size();
    if (mine.total_out > limits_.max_bytes || (mine.total_out > limits_.ratio_floor_bytes &&
                                               mine.total_out / limits_.max_ratio > total_in_))
      return fail(Errc::kTooLarge, "content coding: more than " +
                                       std::to_string(limits_.max_bytes) + " bytes or " +
                                       std::to_string(limits_.max_ratio) + "-fold");
    if (stage + 1 < stages_.size()) return feed_stage(stage + 1, piece, use);
    use(piece);
    return {};
  });
}

Result<> ContentDecoder::finish() {
  if (failed_) return fail(Errc::kInvalid, "content coding: failed before");
  for (const auto& stage : stages_)
    if (!stage->is_complete()) return fail(Errc::kInvalid, "content coding: the body is cut");
  return {};
}

std::uint64_t ContentDecoder::trailing_bytes() const {
  std::uint64_t total = 0;
  for (const auto& stage : stages_) total += stage->trailing_bytes;
  return total;
}

}  // namespace aispm::codec
