// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/semantic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/detect/semantic_file.hpp"
#include "sdk/core/detect/semantic_net.hpp"
#include "sdk/core/detect/semantic_tokens.hpp"

namespace aispm::detect {

namespace {

constexpr std::size_t kContent = kSemanticWindow - 2;  // tokens of a window that are the text's
static_assert(kSemanticStride <= kContent);

// Surfaces that share a threshold, in the order of the model file's.
enum Kind : std::size_t { kWritten, kFetched, kDescribed, kArguments, kReplied, kKinds };

std::size_t kind_of(Surface surface) {
  switch (surface) {
    case Surface::kPrompt:
    case Surface::kSystem:
      return kWritten;
    case Surface::kToolDescription:
      return kDescribed;
    case Surface::kToolArguments:
      return kArguments;
    case Surface::kReply:
      return kReplied;
    default:
      return kFetched;
  }
}

bool is_letter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

// `text` is what the window's tokens point into.
bool is_language(std::string_view text, std::span<const Token> window) {
  std::size_t tokens = 0;
  std::size_t bytes = 0;
  for (const Token& token : window) {
    std::string_view piece = text.substr(token.begin, token.end - token.begin);
    const std::size_t spaces = std::min(piece.find_first_not_of(" \t\r\n"), piece.size());
    piece.remove_prefix(spaces);
    if (std::none_of(piece.begin(), piece.end(), is_letter)) continue;
    ++tokens;
    bytes += piece.size() + (spaces > 0 ? 1 : 0);
  }
  return tokens < kMinTellingTokens ||
         static_cast<double>(bytes) >= kMinTokenBytes * static_cast<double>(tokens);
}

constexpr double kFirstScale = 32;  // of ClassifierVerdict::score

struct AlignedFree {
  void operator()(float* memory) const { ::operator delete[](memory, std::align_val_t(64)); }
};
using AlignedFloats = std::unique_ptr<float[], AlignedFree>;

AlignedFloats make_aligned(std::size_t count) {
  return AlignedFloats(
      static_cast<float*>(::operator new[](count * sizeof(float), std::align_val_t(64))));
}

}  // namespace

struct SemanticScratch::State {
  AlignedFloats wide = make_aligned(kSemanticWindow * net::kWide);
  AlignedFloats projected = make_aligned(kSemanticWindow * net::kBranches * net::kBranch);
  AlignedFloats padded = make_aligned(2 * (kSemanticWindow + net::kPadding) * net::kBranch);
  AlignedFloats product = make_aligned(
      std::max(kSemanticWindow * net::kBranch, net::kWide + net::kHidden + net::kLast));
  std::array<float, net::kFeatures> features{};
  std::vector<Token> tokens;

  net::Buffers buffers() { return {wide.get(), projected.get(), padded.get(), product.get()}; }
};

SemanticScratch::SemanticScratch() : state_(std::make_unique<State>()) {}
SemanticScratch::SemanticScratch(SemanticScratch&&) noexcept = default;
SemanticScratch& SemanticScratch::operator=(SemanticScratch&&) noexcept = default;
SemanticScratch::~SemanticScratch() = default;

struct SemanticModel::Parts {
  explicit Parts(SemanticTokens tokens_in) : tokens(std::move(tokens_in)) {}

  std::string bytes;  // the file: `table` looks into it
  std::string version;
  std::string record;
  SemanticTokens tokens;
  std::string_view table;  // kToken numbers of 4 bits an id
  std::vector<float> table_scale;
  std::vector<std::vector<float>> owned;  // what `weights` points to
  net::Weights weights;
  std::vector<float> head;  // kKinds x kFeatures
  // kKinds each: log odds = gain * (head . features) + bias; the threshold is taken off the bias.
  std::vector<float> gain;
  std::vector<float> bias;
  // 3 x kKinds: what a unit of tier 1's log odds, a unit of the head's sum, and nothing are worth
  // in the log odds of both tiers. Empty: the model was not joined.
  std::vector<float> joint;

  void join(std::size_t kind, double raw, SemanticVerdict& verdict) const;
  void put_vector(std::uint32_t id, float* out) const;
  float score_window(std::span<const Token> window, std::size_t kind,
                     SemanticScratch::State& scratch) const;
};

// `raw` is the head's sum of the worst window.
void SemanticModel::Parts::join(std::size_t kind, double raw, SemanticVerdict& verdict) const {
  if (joint.empty()) {
    verdict.joint_rest = verdict.score;
    return;
  }
  verdict.joint_first = joint[kind] / kFirstScale;
  verdict.joint_rest = joint[kKinds + kind] * raw + joint[2 * kKinds + kind];
}

// Writes the kToken numbers of a token.
void SemanticModel::Parts::put_vector(std::uint32_t id, float* out) const {
  const float scale = table_scale[id];
  const char* const row = table.data() + std::size_t{id} * (net::kToken / 2);
  for (std::size_t i = 0; i < net::kToken / 2; ++i) {
    const auto pair = static_cast<unsigned char>(row[i]);
    out[2 * i] = static_cast<float>((pair & 15) - 8) * scale;
    out[2 * i + 1] = static_cast<float>((pair >> 4) - 8) * scale;
  }
}

float SemanticModel::Parts::score_window(std::span<const Token> window, std::size_t kind,
                                         SemanticScratch::State& scratch) const {
  float* row = scratch.wide.get();
  put_vector(tokens.begin_mark(), row);
  for (const Token& token : window) put_vector(token.id, row += net::kWide);
  put_vector(tokens.end_mark(), row + net::kWide);
  net::features(weights, scratch.buffers(), window.size() + 2, scratch.features.data());
  float score = 0;
  const float* const own = head.data() + kind * net::kFeatures;
  for (std::size_t i = 0; i < net::kFeatures; ++i) score += own[i] * scratch.features[i];
  return score;
}

namespace {

// Reads sections into `owned` and gives pointers to them; remembers the first failure.
class Loader {
 public:
  Loader(const SemanticFile& file, std::vector<std::vector<float>>& owned)
      : file_(file), owned_(owned) {}

  const float* take(const std::string& name, std::size_t rows, std::size_t columns) {
    if (failure_) return nullptr;
    auto values =
        file_.numbers(name, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(columns));
    if (!values) {
      failure_ = std::move(values).error();
      return nullptr;
    }
    return owned_.emplace_back(std::move(*values)).data();
  }

  Result<> result() const {
    if (failure_) return fail(*failure_);
    return {};
  }

 private:
  const SemanticFile& file_;
  std::vector<std::vector<float>>& owned_;
  std::optional<Error> failure_;
};

Result<> load_weights(const SemanticFile& file, std::vector<std::vector<float>>& owned,
                      net::Weights& weights) {
  constexpr std::size_t kAll = net::kBranches * net::kBranch;
  Loader load(file, owned);
  weights.projection = load.take("projection", net::kToken, kAll);
  weights.projection_bias = load.take("projection.bias", 1, kAll);
  weights.projection_gain = load.take("projection.gain", 1, kAll);
  weights.projection_shift = load.take("projection.shift", 1, kAll);
  for (std::size_t i = 0; i < net::kBranches; ++i) {
    const std::string order = std::to_string(net::kOrder[i]);
    const std::size_t inputs = net::kOrder[i] * net::kBranch;
    weights.first[i] = load.take("first" + order, inputs, net::kBranch);
    weights.first_bias[i] = load.take("first" + order + ".bias", 1, net::kBranch);
    weights.second[i] = load.take("second" + order, inputs, net::kBranch);
    weights.second_bias[i] = load.take("second" + order + ".bias", 1, net::kBranch);
  }
  weights.gain = load.take("gain", 1, net::kWide);
  weights.shift = load.take("shift", 1, net::kWide);
  weights.pooled = load.take("pooled", net::kWide, net::kPooled);
  weights.pooled_bias = load.take("pooled.bias", 1, net::kPooled);
  weights.dense1 = load.take("dense1", net::kPooled, net::kHidden);
  weights.dense2 = load.take("dense2", net::kHidden, net::kHidden);
  weights.dense2_skip = load.take("dense2.skip", net::kPooled, net::kHidden);
  weights.dense3 = load.take("dense3", net::kHidden, net::kLast);
  weights.dense4 = load.take("dense4", net::kLast, net::kLast);
  weights.dense4_skip = load.take("dense4.skip", net::kHidden, net::kLast);
  return load.result();
}

}  // namespace

Result<std::shared_ptr<const SemanticModel>> SemanticModel::parse(std::string bytes) {
  if (!net::is_supported())
    return fail(Errc::kUnsupported, "semantic model: this processor has no AVX2 and FMA");
  if (bytes.size() > kMaxSemanticModelBytes)
    return fail(Errc::kTooLarge, "semantic model: more than 64 MiB");
  AISPM_TRY(const SemanticFile names, SemanticFile::read(bytes));
  AISPM_TRY(const auto vocabulary, names.section("vocabulary", SemanticFile::Kind::kBytes));
  AISPM_TRY(SemanticTokens tokens, SemanticTokens::open(vocabulary.data));

  auto parts = std::make_unique<Parts>(std::move(tokens));
  parts->version = sha256_hex(bytes);
  parts->bytes = std::move(bytes);
  AISPM_TRY(const SemanticFile file, SemanticFile::read(parts->bytes));
  AISPM_TRY(const auto record, file.section("record", SemanticFile::Kind::kBytes));
  parts->record = record.data;
  const auto ids = static_cast<std::uint32_t>(parts->tokens.size());
  AISPM_TRY(const auto table, file.section("table", SemanticFile::Kind::kNibble, ids, net::kToken));
  parts->table = table.data;
  AISPM_TRY(parts->table_scale, file.numbers("table.scale", ids, 1));
  AISPM_CHECK(load_weights(file, parts->owned, parts->weights));
  AISPM_TRY(parts->head, file.numbers("heads", kKinds, net::kFeatures));
  AISPM_TRY(parts->gain, file.numbers("head.gain", 1, kKinds));
  AISPM_TRY(parts->bias, file.numbers("head.bias", 1, kKinds));
  if (file.section("joint", SemanticFile::Kind::kFloat)) {
    AISPM_TRY(parts->joint, file.numbers("joint", 3, kKinds));
  }
  return std::shared_ptr<const SemanticModel>(new SemanticModel(std::move(parts)));
}

SemanticModel::SemanticModel(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
SemanticModel::~SemanticModel() = default;

const std::string& SemanticModel::version() const { return parts_->version; }
const std::string& SemanticModel::record() const { return parts_->record; }

std::optional<SemanticVerdict> SemanticModel::judge(std::string_view text, Surface surface,
                                                    SemanticScratch& scratch,
                                                    const StopCheck& stop) const {
  SemanticScratch::State& state = scratch.state();
  const std::size_t kind = kind_of(surface);
  SemanticVerdict verdict;
  verdict.score = -std::numeric_limits<double>::infinity();

  const auto judge_part = [&](std::string_view part, std::size_t offset) {
    parts_->tokens.split(part, state.tokens);
    const std::span<const Token> all(state.tokens);
    for (std::size_t from = 0; from < all.size(); from += kSemanticStride) {
      if (stop && stop()) return false;
      const auto window = all.subspan(from, std::min(kContent, all.size() - from));
      if (!is_language(part, window)) {
        ++verdict.passed_over;
      } else {
        const float score = parts_->score_window(window, kind, state);
        ++verdict.windows;
        if (score > verdict.score) {
          verdict.score = score;
          verdict.begin = offset + window.front().begin;
          verdict.end = offset + window.back().end;
        }
      }
      if (from + kContent >= all.size()) break;
    }
    return true;
  };

  verdict.whole = text.size() <= kMaxSemanticBytes;
  constexpr std::size_t kHalf = kMaxSemanticBytes / 2;
  const bool done = verdict.whole
                        ? judge_part(text, 0)
                        : judge_part(text.substr(0, kHalf), 0) &&
                              judge_part(text.substr(text.size() - kHalf), text.size() - kHalf);
  if (!done) return std::nullopt;
  if (verdict.windows == 0) {
    verdict.score = 0;
    return verdict;
  }
  const double raw = verdict.score;
  verdict.score = parts_->gain[kind] * raw + parts_->bias[kind];
  parts_->join(kind, raw, verdict);
  verdict.fires = verdict.score >= 0;
  verdict.confidence = 1 / (1 + std::exp(-verdict.score));
  return verdict;
}

}  // namespace aispm::detect
