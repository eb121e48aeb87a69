// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sdk/core/common/c_ptr.hpp"
#include "sensor/classify/signature_tables.hpp"
#include "sensor/classify/signatures.hpp"

namespace aispm::sensor {

using CommandScratch = CPtr<hs_scratch_t, hs_free_scratch>;

struct CommandMatcher::State {
  std::shared_ptr<const SignatureTables> tables;
  CommandScratch scratch;
  std::string text;
  std::vector<const Signature*> found;
  std::uint64_t failures = 0;
};

CommandMatcher::CommandMatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
CommandMatcher::CommandMatcher(CommandMatcher&&) noexcept = default;
CommandMatcher& CommandMatcher::operator=(CommandMatcher&&) noexcept = default;
CommandMatcher::~CommandMatcher() = default;

Result<CommandMatcher> Signatures::make_command_matcher() const {
  auto state = std::make_unique<CommandMatcher::State>();
  state->tables = tables_;
  hs_scratch_t* scratch = nullptr;
  for (const CommandPatterns& patterns : tables_->commands) {
    const hs_error_t error = hs_alloc_scratch(patterns.database.get(), &scratch);
    (void)state->scratch.release();  // it grew: Hyperscan freed the old one itself
    state->scratch.reset(scratch);
    if (error != HS_SUCCESS) return fail(Errc::kExhausted, "no memory to match command lines with");
  }
  return CommandMatcher(std::move(state));
}

const std::vector<const Signature*>& CommandMatcher::match(const std::vector<std::string>& argv) {
  state_->text.clear();
  for (const std::string& argument : argv) {
    state_->text.append(argument, 0, kMaxCommandBytes) += ' ';
    if (state_->text.size() >= kMaxCommandBytes) break;
  }
  return scan();
}

const std::vector<const Signature*>& CommandMatcher::match(std::string_view command) {
  (state_->text = command) += ' ';
  return scan();
}

const std::vector<const Signature*>& CommandMatcher::scan() {
  State& state = *state_;
  state.found.clear();
  struct Context {
    const CommandPatterns& patterns;
    State& state;
  };
  for (const CommandPatterns& patterns : state.tables->commands) {
    Context context{patterns, state};
    const auto on_match = [](unsigned id, unsigned long long, unsigned long long, unsigned,
                             void* context_pointer) {
      auto& [own, result] = *static_cast<Context*>(context_pointer);
      if (const Signature* one = own.signatures[id]; result.tables->is_live(one))
        result.found.push_back(one);
      return 0;
    };
    const auto size = static_cast<unsigned>(std::min(state.text.size(), kMaxCommandBytes));
    state.text.reserve(size + 64);  // Hyperscan 5.4 may read beyond (sdk/core/detect/hyperscan.hpp)
    if (hs_scan(patterns.database.get(), state.text.data(), size, 0, state.scratch.get(), on_match,
                &context) != HS_SUCCESS)
      ++state.failures;
  }
  std::sort(state.found.begin(), state.found.end(),
            [](const Signature* a, const Signature* b) { return a->id < b->id; });
  return state.found;
}

std::uint64_t CommandMatcher::failures() const { return state_->failures; }

}  // namespace aispm::sensor
