// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/block_scan.hpp"
#include "sdk/core/detect/encoded.hpp"
#include "sdk/core/detect/engine.hpp"
#include "sdk/core/detect/hyperscan.hpp"
#include "sdk/core/detect/respell.hpp"
#include "sdk/core/detect/signal.hpp"
#include "sdk/core/detect/vocabulary.hpp"

// A scan of a whole text and of everything that it hides: its normalised form, its escapes
// resolved, broken words mended, encoded runs decoded, and what those hide in turn.
namespace aispm::detect {

// Encodings inside encodings: base64 of base64 of base64 is read, one more is not (and said so).
inline constexpr unsigned kMaxDepth = 3;
// All views of a text together may be this many times its size, and kDecodeFloor; beyond it the
// scan fails (kExhausted). Escapes, mended and respelled words at each depth are 29 times.
inline constexpr std::size_t kMaxDecodedTimes = 32;
inline constexpr std::size_t kDecodeFloor = 256U << 10;
// Matches of one scan before overlapping ones are joined; beyond it the scan fails (kExhausted).
inline constexpr std::size_t kMaxMatches = 50'000;
// Matches in the clear that one in mended words is held against.
inline constexpr std::size_t kMaxClearAsked = 64;

// Everything compiled that a scan needs; owned by the engine.
struct ScanTables {
  const std::vector<Rule>* rules = nullptr;
  const Automata* automata = nullptr;
  std::span<const HsDatabase> databases;
  const Vocabulary* vocabulary = nullptr;
  const std::array<std::vector<std::uint32_t>, kSignalCount>* signal_rules = nullptr;
};

// Working memory of one thread: no allocation once it has grown.
struct ScanBuffers {
  struct Level {
    Shadow folded;
    Shadow other;         // escapes resolved, then broken words mended
    std::string decoded;  // of one run, or all of the text in ROT13 or backwards
    std::string packed;   // compressed bytes
    Fired fired;
  };
  std::array<Level, kMaxDepth + 1> levels;
  Shadow resolving;  // of one match
  RespellBuffers respelling;
  std::vector<SignalHit> hits;
  Inflater inflater;
};

class DeepScan {
 public:
  DeepScan(const ScanTables& tables, Surface surface, const ScanOptions& options,
           hs_scratch_t* scratch, ScanBuffers& buffers, std::vector<Match>& matches);

  // Appends to the matches. kExhausted and kInternal: what was found is not all.
  Result<> scan(std::string_view text, std::size_t work);

 private:
  // One view of the text, or of a view.
  struct Frame {
    const Frame* parent = nullptr;
    std::string_view text;
    const std::vector<Shadow::Origin>* origin = nullptr;  // per byte, in the parent
    std::size_t begin = 0;  // without `origin`: the whole view stands for this part of the parent
    std::size_t end = 0;
    bool is_run = false;        // spans are the whole run
    bool mirrored = false;      // read backwards
    bool is_text_only = false;  // rules about data do not apply: letters were changed
    bool is_mended = false;     // rules for mended words (Reads::kLetters) apply
    bool is_respelled = false;  // words taken apart or put in order: no letters were closed up
    Trick trick = Trick::kNone;
    unsigned depth = 0;
  };
  struct Place {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool encoded = false;
    Trick trick = Trick::kNone;
  };

  Place place_of(const Frame& frame, std::size_t begin, std::size_t end) const;
  Place place_of_match(const Frame& frame, const ViewMatch& match) const;
  bool applies(std::uint32_t rule, const Frame& frame, bool mended) const;
  bool stands_in_context(std::uint32_t rule, std::string_view text, ViewMatch& match) const;
  bool add(std::uint32_t rule, const Place& place, bool validated);
  void fail_with(Errc code, const char* what);
  bool charge(std::size_t bytes);
  bool is_late();

  // All return false when the scan has failed.
  bool scan_frame(const Frame& frame);
  bool scan_view(const Frame& frame, std::string_view text,
                 const std::vector<Shadow::Origin>* folded, bool mended);
  bool scan_signals(std::string_view text);
  bool scan_deeper(const Frame& frame, std::string_view reading, bool rot13, bool reversed);
  bool scan_mended(const Frame& frame, std::string_view reading);
  bool show_mended(const Frame& frame, std::string_view reading);
  class FrameOrigin;
  bool was_clear(std::uint32_t rule, const Place& place) const;
  Place place_mended(const Frame& frame, const Shadow& mended, bool is_folded, std::size_t begin,
                     std::size_t end) const;
  bool scan_respelled(const Frame& frame, std::string_view reading);
  bool scan_runs(const Frame& frame, Trick kind);
  bool scan_packed(const Frame& frame, const EncodedRun& run);
  bool scan_turned(const Frame& frame, Trick trick);
  bool scan_child(const Frame& frame, Frame child);
  bool add_signal(Signal signal, const Place& place);

  const ScanTables& tables_;
  std::string_view whole_;  // what is scanned
  Surface surface_;
  const ScanOptions& options_;
  hs_scratch_t* hyperscan_;
  ScanBuffers& buffers_;
  std::vector<Match>& matches_;
  std::size_t work_left_ = 0;
  std::size_t decode_left_ = 0;
  BlockScan block_;
  std::optional<Error> failure_;
};

}  // namespace aispm::detect
