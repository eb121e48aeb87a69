// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "sdk/core/codec/llm.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/classify/signatures.hpp"

namespace aispm::sensor {

// Whose AI use is known and allowed. All else is unsanctioned.
struct Registry {
  std::vector<std::string> executables;  // absolute paths; one that ends with / covers all below it
  std::set<std::uint64_t> cgroup_ids;
  std::set<std::uint32_t> uids;

  // The entry that covers the process, such as "exe:/usr/bin/x", or nullopt.
  std::optional<std::string> find(const model::Process& process) const;
};

// Says what use of AI an observation is evidence of. Repeats of the same evidence for the same
// process, provider and model are held back for a while, so that a busy agent is one fact and not a
// stream. Not thread-safe.
class Classifier {
 public:
  struct Options {
    std::chrono::seconds announce_again{600};
    std::size_t max_remembered = 8192;
  };

  Classifier(Signatures signatures, Registry registry, Options options);
  Classifier(Signatures signatures, Registry registry)
      : Classifier(std::move(signatures), std::move(registry), Options()) {}

  // Name for LlmCall.provider: the host's, else "openai-compatible" or "anthropic-compatible".
  std::string provider_of(std::string_view host, codec::Api api) const;

  // Each gives the evidence to report, or nullopt when there is none or it was reported lately.
  // A request to a model was seen in plaintext (confidence 1).
  std::optional<model::AiUse> on_llm_call(const model::Process& process, const model::LlmCall& call,
                                          BootTime now);
  // A request to this host was seen in plaintext, whatever it asked.
  std::optional<model::AiUse> on_host(const model::Process& process, std::string_view host,
                                      BootTime now);
  std::optional<model::AiUse> on_connect(const model::Process& process,
                                         const model::SocketConnect& connect, BootTime now);
  std::optional<model::AiUse> on_listen(const model::Process& process,
                                        const model::SocketListen& listen, BootTime now);
  std::optional<model::AiUse> on_exec(const model::Process& process, BootTime now);

  // What to call the agent that `use` shows the process to be: its signature's name, or "" for a
  // program without one that calls a model. nullopt: it is no agent (a model server, a mere hint).
  std::optional<std::string> agent_name_of(const model::Process& process,
                                           const model::AiUse& use) const;

  const Signatures& signatures() const { return signatures_; }
  const Registry& registry() const { return registry_; }
  // Judges by these from now on.
  void replace(Signatures signatures) { signatures_ = std::move(signatures); }

  // A name was asked for or connected to: its provider, empty when it is none of AI.
  std::string provider_at(std::string_view host) const;
  std::optional<model::AiUse> on_name(const model::Process& process, std::string_view host,
                                      BootTime now);
  // A connection whose shape is that of MCP.
  std::optional<model::AiUse> on_flow(const model::Process& process, const model::SocketClose& flow,
                                      BootTime now);

  // Evidence held back because it was reported lately.
  std::uint64_t held_back() const { return held_back_; }
  std::size_t remembered() const { return places_.size(); }

 private:
  using Key = std::tuple<model::ProcessId, std::string, std::string, std::string, std::string>;
  struct Remembered {
    Key key;
    BootTime time;
  };

  std::optional<model::AiUse> announce(const model::Process& process, model::AiUse use,
                                       BootTime now);
  bool is_news(Key key, BootTime now);

  Signatures signatures_;
  Registry registry_;
  Options options_;
  std::list<Remembered> remembered_;  // announced longest ago first
  std::map<Key, std::list<Remembered>::iterator> places_;
  std::uint64_t held_back_ = 0;
};

}  // namespace aispm::sensor
