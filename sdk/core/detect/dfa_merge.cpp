// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/dfa_merge.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace aispm::detect {
namespace {

using Index = std::uint32_t;

// Elements in sets. Some elements of a set are marked; split() makes sets of their own of them.
class Partition {
 public:
  // Those of one `label` are one set.
  template <typename Label>
  Partition(std::size_t size, Label label) : order_(size), place_(size), set_of_(size) {
    std::iota(order_.begin(), order_.end(), Index{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](Index a, Index b) { return label(a) < label(b); });
    for (std::size_t i = 0; i < size; ++i) {
      if (i == 0 || label(order_[i]) != label(order_[i - 1])) {
        if (i > 0) end_.back() = static_cast<Index>(i);
        begin_.push_back(static_cast<Index>(i));
        end_.push_back(static_cast<Index>(size));
        marked_.push_back(0);
      }
      place_[order_[i]] = static_cast<Index>(i);
      set_of_[order_[i]] = static_cast<Index>(begin_.size() - 1);
    }
  }

  std::size_t set_count() const { return begin_.size(); }
  Index set_of(Index element) const { return set_of_[element]; }
  std::span<const Index> elements(std::size_t set) const {
    return std::span(order_).subspan(begin_[set], end_[set] - begin_[set]);
  }

  // Moves it to the front of its set, behind those that are marked already. Not twice.
  void mark(Index element) {
    const Index set = set_of_[element];
    const Index to = begin_[set] + marked_[set];
    const Index from = place_[element];
    std::swap(order_[from], order_[to]);
    place_[order_[from]] = from;
    place_[element] = to;
    if (marked_[set]++ == 0) touched_.push_back(set);
  }

  // The smaller part of each set with marks gets the new number.
  void split() {
    for (; !touched_.empty(); touched_.pop_back()) {
      const Index set = touched_.back();
      const Index middle = begin_[set] + std::exchange(marked_[set], 0);
      if (middle == end_[set]) continue;
      const bool is_front_smaller = middle - begin_[set] <= end_[set] - middle;
      const Index begin = is_front_smaller ? begin_[set] : middle;
      const Index end = is_front_smaller ? middle : end_[set];
      (is_front_smaller ? begin_ : end_)[set] = middle;
      for (Index i = begin; i < end; ++i) set_of_[order_[i]] = static_cast<Index>(begin_.size());
      begin_.push_back(begin);
      end_.push_back(end);
      marked_.push_back(0);
    }
  }

 private:
  std::vector<Index> order_;   // elements, set by set
  std::vector<Index> place_;   // of each element in `order_`
  std::vector<Index> set_of_;  // of each element
  std::vector<Index> begin_;   // of each set
  std::vector<Index> end_;
  std::vector<Index> marked_;   // how many at the front of each set
  std::vector<Index> touched_;  // sets with marks
};

struct Step {
  std::uint16_t from;
  std::uint16_t to;
  std::uint8_t by;  // class of bytes
};

// All that do not die.
std::vector<Step> find_steps(const DfaRows& rows) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < rows.table.size(); ++i)
    if (rows.table[i] != 0)
      steps.push_back({static_cast<std::uint16_t>(i / rows.class_count), rows.table[i],
                       static_cast<std::uint8_t>(i % rows.class_count)});
  return steps;
}

// Steps by where they lead: those to `state` are order[first[state]] to order[first[state + 1]].
struct StepsInto {
  StepsInto(const std::vector<Step>& steps, std::size_t state_count)
      : first(state_count + 1), order(steps.size()) {
    for (const Step& step : steps) ++first[step.to + std::size_t{1}];
    std::partial_sum(first.begin(), first.end(), first.begin());
    std::vector<Index> next(first.begin(), first.end() - 1);
    for (std::size_t i = 0; i < steps.size(); ++i)
      order[next[steps[i].to]++] = static_cast<Index>(i);
  }
  std::vector<Index> first;
  std::vector<Index> order;
};

}  // namespace

std::vector<std::uint32_t> find_equal_states(const DfaRows& rows) {
  const std::size_t count = rows.marks.size();
  const std::vector<Step> steps = find_steps(rows);
  const StepsInto into(steps, count);
  Partition states(count, [&](Index state) { return rows.marks[state]; });
  Partition kinds(steps.size(), [&](Index step) { return steps[step].by; });
  // Each set of steps has one class of bytes and leads into one set of states; the states that such
  // steps come from differ from those that they do not come from.
  std::size_t next_state_set = 1;  // one set need not be told from itself
  for (std::size_t kind = 0; kind < kinds.set_count(); ++kind) {
    for (const Index step : kinds.elements(kind)) states.mark(steps[step].from);
    states.split();
    for (; next_state_set < states.set_count(); ++next_state_set) {
      for (const Index state : states.elements(next_state_set))
        for (Index i = into.first[state]; i < into.first[state + 1]; ++i) kinds.mark(into.order[i]);
      kinds.split();
    }
  }
  std::vector<std::uint32_t> number(states.set_count(), UINT32_MAX);
  std::vector<std::uint32_t> result;
  std::uint32_t next = 0;
  for (std::size_t state = 0; state < count; ++state) {
    std::uint32_t& mine = number[states.set_of(static_cast<Index>(state))];
    if (mine == UINT32_MAX) mine = next++;
    result.push_back(mine);
  }
  return result;
}

}  // namespace aispm::detect
