// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/dfa.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

#include "sdk/core/detect/dfa_merge.hpp"

namespace aispm::detect {
namespace {

// Thompson's construction. A state either reads a byte of `set` and goes to `out`, or goes to both
// outs without reading, or accepts.
struct NfaState {
  enum class Kind : std::uint8_t { kRead, kSplit, kAccept };
  Kind kind = Kind::kSplit;
  std::uint32_t out = 0;
  std::uint32_t out2 = 0;
  std::uint32_t set = 0;  // index into Nfa::sets
};

class Nfa {
 public:
  Result<> build(const std::vector<Node>& alternatives) {
    const std::uint32_t accept = add({NfaState::Kind::kAccept, 0, 0, 0});
    start = accept;
    bool first = true;
    for (const Node& node : alternatives) {
      AISPM_TRY(const std::uint32_t head, compile(node, accept));
      start = first ? head : add({NfaState::Kind::kSplit, start, head, 0});
      first = false;
    }
    return {};
  }

  std::vector<NfaState> states;
  std::vector<ByteSet> sets;
  std::uint32_t start = 0;

 private:
  std::uint32_t add(NfaState state) {
    states.push_back(state);
    return static_cast<std::uint32_t>(states.size() - 1);
  }

  std::uint32_t set_index(const ByteSet& set) {
    for (std::size_t i = 0; i < sets.size(); ++i)
      if (sets[i] == set) return static_cast<std::uint32_t>(i);
    sets.push_back(set);
    return static_cast<std::uint32_t>(sets.size() - 1);
  }

  // Builds backwards: the state from which `node` followed by `next` is matched.
  Result<std::uint32_t> compile(const Node& node, std::uint32_t next) {
    if (states.size() > Dfa::kMaxNfaStates)
      return fail(Errc::kTooLarge, "the pattern is too large (repeats multiply what they repeat)");
    switch (node.kind) {
      case Node::Kind::kSet:
        return add({NfaState::Kind::kRead, next, 0, set_index(node.set)});
      case Node::Kind::kConcat:
        for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
          AISPM_TRY(next, compile(*child, next));
        }
        return next;
      case Node::Kind::kAlternate: {
        AISPM_TRY(std::uint32_t head, compile(node.children.front(), next));
        for (std::size_t i = 1; i < node.children.size(); ++i) {
          AISPM_TRY(const std::uint32_t other, compile(node.children[i], next));
          head = add({NfaState::Kind::kSplit, head, other, 0});
        }
        return head;
      }
      case Node::Kind::kRepeat:
        return compile_repeat(node, next);
    }
    return fail(Errc::kInternal, "unknown node");
  }

  Result<std::uint32_t> compile_repeat(const Node& node, std::uint32_t next) {
    const Node& item = node.children.front();
    std::uint32_t tail = next;
    if (node.high == Node::kNoLimit) {
      const std::uint32_t loop = add({NfaState::Kind::kSplit, next, next, 0});
      AISPM_TRY(const std::uint32_t body, compile(item, loop));
      states[loop].out2 = body;
      tail = loop;
    } else {
      for (std::uint32_t i = node.low; i < node.high; ++i) {
        AISPM_TRY(const std::uint32_t body, compile(item, tail));
        tail = add({NfaState::Kind::kSplit, body, next, 0});
      }
    }
    for (std::uint32_t i = 0; i < node.low; ++i) {
      AISPM_TRY(tail, compile(item, tail));
    }
    return tail;
  }
};

using StateSet = std::vector<std::uint32_t>;  // sorted NFA states that read or accept

struct StateSetHash {
  std::size_t operator()(const StateSet& set) const {
    std::size_t hash = 1469598103934665603U;
    for (const std::uint32_t state : set) hash = (hash ^ state) * 1099511628211U;
    return hash;
  }
};

}  // namespace

class DfaBuilder {
 public:
  explicit DfaBuilder(const Nfa& nfa) : nfa_(nfa), seen_(nfa.states.size(), 0) {}

  Result<Dfa> build() {
    find_classes();
    (void)intern({});  // kDead
    (void)intern(closure({nfa_.start}));
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      work_ += sets_[i]->size() * dfa_.class_count_;
      if (sets_.size() > Dfa::kMaxStates || work_ > Dfa::kMaxWork)
        return fail(Errc::kTooLarge,
                    "the pattern needs too many automaton states; use shorter gaps and repeats");
      add_row(*sets_[i]);
    }
    if (dfa_.accepts(Dfa::kStart))
      return fail(Errc::kInvalid, "the pattern matches the empty text");
    merge_equal();
    dfa_.find_first_bytes();
    return std::move(dfa_);
  }

 private:
  // Sets of NFA states often mean the same: the ends of alternatives, the counts of a gap.
  void merge_equal() {
    if (dfa_.table_.size() > kMaxMergedCells) return;
    const std::vector<std::uint32_t> set_of =
        find_equal_states({dfa_.table_, dfa_.marks_, dfa_.class_count_});
    if (set_of[Dfa::kStart] != Dfa::kStart) return;  // it matches nothing at all
    std::vector<Dfa::State> table;
    std::vector<std::uint8_t> marks;
    for (std::size_t state = 0; state < set_of.size(); ++state) {
      if (set_of[state] != marks.size()) continue;  // one of its set was there before
      marks.push_back(dfa_.marks_[state]);
      for (std::size_t i = 0; i < dfa_.class_count_; ++i)
        table.push_back(
            static_cast<Dfa::State>(set_of[dfa_.table_[state * dfa_.class_count_ + i]]));
    }
    table.shrink_to_fit();
    dfa_.table_ = std::move(table);
    dfa_.marks_ = std::move(marks);
  }

  // Bytes that no set tells apart share a column.
  void find_classes() {
    std::map<std::vector<bool>, std::uint8_t> known;
    classes_of_.resize(nfa_.sets.size());
    for (unsigned byte = 0; byte < 256; ++byte) {
      std::vector<bool> signature;
      for (const ByteSet& set : nfa_.sets) signature.push_back(set.test(byte));
      const auto [entry, fresh] =
          known.emplace(std::move(signature), static_cast<std::uint8_t>(known.size()));
      dfa_.class_of_[byte] = entry->second;
      for (std::size_t set = 0; fresh && set < nfa_.sets.size(); ++set)
        if (entry->first[set]) classes_of_[set].push_back(entry->second);
    }
    dfa_.class_count_ = known.size();
    targets_.resize(known.size());
  }

  // What can be reached from these states without reading.
  StateSet closure(const StateSet& from) {
    StateSet result;
    ++round_;
    pending_ = from;
    while (!pending_.empty()) {
      const std::uint32_t index = pending_.back();
      pending_.pop_back();
      if (seen_[index] == round_) continue;
      seen_[index] = round_;
      const NfaState& state = nfa_.states[index];
      if (state.kind == NfaState::Kind::kSplit) {
        pending_.push_back(state.out);
        pending_.push_back(state.out2);
      } else {
        result.push_back(index);
      }
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  Dfa::State intern(StateSet set) {
    const auto [entry, fresh] =
        index_.emplace(std::move(set), static_cast<Dfa::State>(sets_.size()));
    if (fresh) sets_.push_back(&entry->first);
    return entry->second;
  }

  // The state after reading a byte from which these NFA states are reached.
  Dfa::State state_of(const StateSet& outs) {
    if (outs.empty()) return Dfa::kDead;
    const auto known = after_.find(outs);
    if (known != after_.end()) return known->second;
    const Dfa::State state = intern(closure(outs));
    after_.emplace(outs, state);
    return state;
  }

  void add_row(const StateSet& set) {
    bool accepts = false;
    for (StateSet& outs : targets_) outs.clear();
    for (const std::uint32_t index : set) {
      const NfaState& from = nfa_.states[index];
      if (from.kind == NfaState::Kind::kAccept) {
        accepts = true;
        continue;
      }
      for (const std::uint8_t byte_class : classes_of_[from.set])
        targets_[byte_class].push_back(from.out);
    }
    bool leaf = true;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      const bool repeated = i > 0 && targets_[i] == targets_[i - 1];
      const Dfa::State target = repeated ? dfa_.table_.back() : state_of(targets_[i]);
      leaf = leaf && target == Dfa::kDead;
      dfa_.table_.push_back(target);
    }
    dfa_.marks_.push_back(
        static_cast<std::uint8_t>((accepts ? Dfa::kAccept : 0) | (leaf ? Dfa::kLeaf : 0)));
  }

  const Nfa& nfa_;
  Dfa dfa_;
  std::vector<std::vector<std::uint8_t>> classes_of_;             // by NFA set
  std::vector<StateSet> targets_;                                 // of the row in work, by class
  std::unordered_map<StateSet, Dfa::State, StateSetHash> index_;  // never erased from
  std::vector<const StateSet*> sets_;                             // its keys, by DFA state
  std::unordered_map<StateSet, Dfa::State, StateSetHash> after_;
  std::vector<std::uint32_t> seen_;
  StateSet pending_;
  std::uint32_t round_ = 0;
  std::size_t work_ = 0;
};

Result<Dfa> Dfa::compile(const std::vector<Node>& alternatives) {
  Nfa nfa;
  AISPM_CHECK(nfa.build(alternatives));
  return DfaBuilder(nfa).build();
}

std::size_t Dfa::memory_bytes() const {
  return sizeof(*this) + table_.capacity() * sizeof(State) + marks_.capacity();
}

void Dfa::find_first_bytes() {
  for (unsigned byte = 0; byte < 256; ++byte)
    first_bytes_.set(byte, next(kStart, static_cast<std::uint8_t>(byte)) != kDead);
}

// Layout, little-endian as on all hosts we build for: class of each byte; count of classes (2);
// count of states (4); marks; table.
void Dfa::append_to(std::string& out) const {
  const auto classes = static_cast<std::uint16_t>(class_count_);
  const auto states = static_cast<std::uint32_t>(marks_.size());
  out.append(reinterpret_cast<const char*>(class_of_), sizeof(class_of_));
  out.append(reinterpret_cast<const char*>(&classes), sizeof(classes));
  out.append(reinterpret_cast<const char*>(&states), sizeof(states));
  out.append(reinterpret_cast<const char*>(marks_.data()), marks_.size());
  out.append(reinterpret_cast<const char*>(table_.data()), table_.size() * sizeof(State));
}

std::optional<Dfa> Dfa::take_from(std::string_view& bytes) {
  Dfa dfa;
  std::uint16_t classes = 0;
  std::uint32_t states = 0;
  constexpr std::size_t kHead = sizeof(class_of_) + sizeof(classes) + sizeof(states);
  if (bytes.size() < kHead) return std::nullopt;
  std::memcpy(dfa.class_of_, bytes.data(), sizeof(class_of_));
  std::memcpy(&classes, bytes.data() + sizeof(class_of_), sizeof(classes));
  std::memcpy(&states, bytes.data() + sizeof(class_of_) + sizeof(classes), sizeof(states));
  if (classes == 0 || classes > 256 || states <= kStart || states > kMaxStates) return std::nullopt;
  const std::size_t cells = std::size_t{states} * classes;
  if (bytes.size() - kHead < states + cells * sizeof(State)) return std::nullopt;
  dfa.class_count_ = classes;
  dfa.marks_.resize(states);
  dfa.table_.resize(cells);
  std::memcpy(dfa.marks_.data(), bytes.data() + kHead, states);
  std::memcpy(dfa.table_.data(), bytes.data() + kHead + states, cells * sizeof(State));
  bytes.remove_prefix(kHead + states + cells * sizeof(State));
  // What is followed later must lie inside, whatever the bytes say.
  const bool inside =
      *std::max_element(std::begin(dfa.class_of_), std::end(dfa.class_of_)) < classes &&
      *std::max_element(dfa.table_.begin(), dfa.table_.end()) < states;
  if (!inside || dfa.accepts(kStart)) return std::nullopt;
  dfa.find_first_bytes();
  return dfa;
}

}  // namespace aispm::detect
