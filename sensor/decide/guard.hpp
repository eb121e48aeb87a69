// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sdk/core/model/event.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Something that was enforced, or would have been, in the product's words.
struct Effect {
  BootTime time;
  model::Process process;
  model::Enforcement body;
  model::Decision decision;
  std::vector<model::Detection> detections;
};

// What the pipeline tells enforcement, and what it asks. On the pipeline thread.
class Guard {
 public:
  virtual ~Guard() = default;
  // A process started another program. `agent` is the agent it belongs to, or "".
  virtual void on_process(const model::Process& process, std::string_view agent) = 0;
  virtual void on_exit(const model::ProcessId& process) = 0;
  virtual void on_name(const SeenName& name) = 0;
  // A prompt is complete; its last byte was written at `written`. `cookie` of its connection, 0 =
  // unknown.
  virtual void on_prompt(const model::Process& process, std::string_view agent,
                         std::uint64_t cookie, const model::LlmCall& call, BootTime written) = 0;
  // Whether on_prompt() needs `call.prompt_text`.
  virtual bool wants_text() const = 0;
  // What a record of the kernel's means; nothing when its order is gone.
  virtual std::optional<Effect> describe(const EnforcedAct& act, const model::Process& process) = 0;
  // What happened since, by the guard's own doing.
  virtual std::vector<Effect> take_effects() = 0;
};

}  // namespace aispm::sensor
