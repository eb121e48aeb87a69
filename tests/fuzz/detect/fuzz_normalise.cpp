// SPDX-License-Identifier: Apache-2.0
// Any bytes: the shadow is ASCII, its offsets lie in the text and never go back, and pieces give
// the same as the whole.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "sdk/core/detect/encoded.hpp"
#include "sdk/core/detect/normalise.hpp"

namespace {

using namespace aispm::detect;

void require(bool claim, const char* what) {
  if (claim) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void check_runs(std::string_view text) {
  std::string decoded;
  std::size_t from = 0;
  for (auto run = find_encoded_run(text, from); run; run = find_encoded_run(text, from)) {
    require(run->offset >= from && run->length >= kMinEncodedRun, "run goes back or is short");
    require(run->offset + run->length <= text.size(), "run leaves the text");
    (void)decode_run(text.substr(run->offset, run->length), decoded);
    require(decoded.size() < run->length, "decoding must shrink");
    from = run->offset + run->length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Shadow whole;
  normalise(text, whole);
  require(whole.text.size() == whole.origin.size(), "one origin a byte");
  std::uint32_t last = 0;
  for (std::size_t i = 0; i < whole.text.size(); ++i) {
    require(static_cast<std::uint8_t>(whole.text[i]) < 0x80, "not ASCII");
    require(whole.origin[i].begin < whole.origin[i].end && whole.origin[i].end <= size,
            "origin leaves the text");
    require(whole.origin[i].begin >= last, "origin goes back");
    last = whole.origin[i].begin;
  }
  // Character by character, as a stream would.
  std::string pieces;
  for (std::size_t at = 0; at < size;) {
    Decoded unit = decode_utf8(text, at);
    if (unit.size == 0) unit = {kInvalidByte, 1};
    const Replacement& out = normalise_code_point(unit.code_point);
    pieces.append(out.bytes.data(), out.size);
    at += unit.size;
  }
  require(pieces == whole.text, "pieces and whole differ");
  if (is_ascii(text)) require(whole.text == text, "ASCII must stay as it is");
  check_runs(text);
  return 0;
}
