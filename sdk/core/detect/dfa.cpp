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
    dfa_.pack(table_);
    dfa_.find_first_bytes();
    return std::move(dfa_);
  }

 private:
  // Sets of NFA states often mean the same: the ends of alternatives, the counts of a gap.
  void merge_equal() {
    if (table_.size() > kMaxMergedCells) return;
    const std::vector<std::uint32_t> set_of =
        find_equal_states({table_, dfa_.marks_, dfa_.class_count_});
    if (set_of[Dfa::kStart] != Dfa::kStart) return;  // it matches nothing at all
    std::vector<Dfa::State> table;
    std::vector<std::uint8_t> marks;
    for (std::size_t state = 0; state < set_of.size(); ++state) {
      if (set_of[state] != marks.size()) continue;  // one of its set was there before
      marks.push_back(dfa_.marks_[state]);
      for (std::size_t i = 0; i < dfa_.class_count_; ++i)
        table.push_back(static_cast<Dfa::State>(set_of[table_[state * dfa_.class_count_ + i]]));
    }
    table_ = std::move(table);
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
      const Dfa::State target = repeated ? table_.back() : state_of(targets_[i]);
      leaf = leaf && target == Dfa::kDead;
      table_.push_back(target);
    }
    dfa_.marks_.push_back(
        static_cast<std::uint8_t>((accepts ? Dfa::kAccept : 0) | (leaf ? Dfa::kLeaf : 0)));
  }

  const Nfa& nfa_;
  Dfa dfa_;
  std::vector<Dfa::State> table_;                                 // by state and class
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

void Dfa::pack(const std::vector<State>& table) {
  std::map<std::string, std::uint32_t> known;  // columns of a row, and where they stand
  std::string columns(class_count_, 0);
  std::vector<State> targets;
  for (std::size_t from = 0; from < table.size(); from += class_count_) {
    targets.clear();
    for (std::size_t i = 0; i < class_count_; ++i) {
      const auto found = std::find(targets.begin(), targets.end(), table[from + i]);
      columns[i] = static_cast<char>(found - targets.begin());
      if (found == targets.end()) targets.push_back(table[from + i]);
    }
    const auto [entry, is_new] =
        known.try_emplace(columns, static_cast<std::uint32_t>(columns_.size()));
    if (is_new) columns_.insert(columns_.end(), columns.begin(), columns.end());
    rows_.push_back({static_cast<std::uint32_t>(targets_.size()), entry->second});
    targets_.insert(targets_.end(), targets.begin(), targets.end());
  }
  rows_.shrink_to_fit();
  columns_.shrink_to_fit();
  targets_.shrink_to_fit();
}

std::size_t Dfa::memory_bytes() const {
  return sizeof(*this) + rows_.capacity() * sizeof(Row) + columns_.capacity() +
         targets_.capacity() * sizeof(State) + marks_.capacity();
}

void Dfa::find_first_bytes() {
  for (unsigned byte = 0; byte < 256; ++byte)
    first_bytes_.set(byte, next(kStart, static_cast<std::uint8_t>(byte)) != kDead);
}

namespace {

template <typename T>
void append_all(std::string& out, const std::vector<T>& items) {
  out.append(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T));
}

template <typename T>
bool take_all(std::string_view& bytes, std::size_t count, std::vector<T>& items) {
  if (bytes.size() / sizeof(T) < count) return false;
  items.resize(count);
  std::memcpy(items.data(), bytes.data(), count * sizeof(T));
  bytes.remove_prefix(count * sizeof(T));
  return true;
}

// Of an automaton in the cache: how much of what follows. Little-endian as on all hosts we build
// for.
struct Sizes {
  std::uint32_t classes = 0;
  std::uint32_t states = 0;
  std::uint32_t columns = 0;
  std::uint32_t targets = 0;
};

}  // namespace

// Layout: class of each byte; Sizes; marks; rows; columns; targets.
void Dfa::append_to(std::string& out) const {
  const Sizes sizes = {
      static_cast<std::uint32_t>(class_count_), static_cast<std::uint32_t>(marks_.size()),
      static_cast<std::uint32_t>(columns_.size()), static_cast<std::uint32_t>(targets_.size())};
  out.append(reinterpret_cast<const char*>(class_of_), sizeof(class_of_));
  out.append(reinterpret_cast<const char*>(&sizes), sizeof(sizes));
  append_all(out, marks_);
  append_all(out, rows_);
  append_all(out, columns_);
  append_all(out, targets_);
}

std::optional<Dfa> Dfa::take_from(std::string_view& bytes) {
  Dfa dfa;
  Sizes sizes;
  if (bytes.size() < sizeof(class_of_) + sizeof(sizes)) return std::nullopt;
  std::memcpy(dfa.class_of_, bytes.data(), sizeof(class_of_));
  std::memcpy(&sizes, bytes.data() + sizeof(class_of_), sizeof(sizes));
  bytes.remove_prefix(sizeof(class_of_) + sizeof(sizes));
  if (sizes.classes == 0 || sizes.classes > 256) return std::nullopt;
  if (sizes.states <= kStart || sizes.states > kMaxStates) return std::nullopt;
  if (sizes.columns == 0 || sizes.targets == 0) return std::nullopt;
  dfa.class_count_ = sizes.classes;
  const bool is_whole =
      take_all(bytes, sizes.states, dfa.marks_) && take_all(bytes, sizes.states, dfa.rows_) &&
      take_all(bytes, sizes.columns, dfa.columns_) && take_all(bytes, sizes.targets, dfa.targets_);
  if (!is_whole || !dfa.is_sound() || dfa.accepts(kStart)) return std::nullopt;
  dfa.find_first_bytes();
  return dfa;
}

// What is followed later must lie inside, whatever the bytes said.
bool Dfa::is_sound() const {
  if (*std::max_element(std::begin(class_of_), std::end(class_of_)) >= class_count_) return false;
  if (std::any_of(targets_.begin(), targets_.end(),
                  [&](State target) { return target >= marks_.size(); }))
    return false;
  return std::all_of(rows_.begin(), rows_.end(), [&](const Row& row) {
    if (row.first_column > columns_.size() || columns_.size() - row.first_column < class_count_)
      return false;
    const auto columns = columns_.begin() + row.first_column;
    const std::uint8_t last = *std::max_element(columns, columns + static_cast<int>(class_count_));
    return row.first_target < targets_.size() && targets_.size() - row.first_target > last;
  });
}

}  // namespace aispm::detect
