// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/scan_request.hpp"

namespace aispm::gateway {

// Inspects the texts of one message, one after another, and says what policy does with each. The
// time of all of them is bounded together. Lives for one scan.
class TextJudge {
 public:
  // Adds to `findings`, which must outlive it, as `context` must.
  TextJudge(const ScanContext& context, policy::Direction direction, Findings& findings);

  struct Ask {
    detect::Surface surface = detect::Surface::kPrompt;
    const detect::Outcomes* outcomes = nullptr;
    bool rules = true;             // false: it is known that no rule matches
    bool plain = true;             // false: what is not hidden was judged elsewhere (streams)
    bool classify = true;          // false: not language (media)
    bool editable = true;          // false: what is to be redacted is denied
    KnownTexts::Place place = {};  // of find_known(); without a key it is looked up
  };
  // Whether nothing at all was found in this text before; then judge() does nothing but say so.
  KnownTexts::Place find_known(std::string_view text, const Ask& ask) const;
  struct Judged {
    bool denied = false;
    bool redacts = false;
    bool found = false;
  };
  // An error: the text could not be inspected.
  Result<Judged> judge(std::string_view text, const Ask& ask);

  // What tier 1 made of the text judged last. What is hidden in it is kept while all that is kept,
  // `kept_bytes`, stays within `max_bytes`.
  FirstLook first_look(std::size_t max_bytes, std::size_t& kept_bytes) const;

  // Appends the text judged last with all that policy withholds cut out; how many pieces.
  std::size_t cut_out(std::string_view text, std::string& out) const;

 private:
  struct Piece {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    const detect::Rule* rule = nullptr;
  };
  detect::InspectOptions options_for(std::string_view text, const Ask& ask) const;
  Result<> inspect(std::string_view text, const Ask& ask);
  void note_layers();
  void note_pieces(const Ask& ask, Judged& judged);

  const ScanContext& context_;
  policy::Direction direction_;
  Findings& findings_;
  std::chrono::steady_clock::time_point deadline_;
  std::vector<Piece> pieces_;
};

}  // namespace aispm::gateway
