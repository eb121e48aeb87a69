// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

// Which tool calls models asked for in replies that were judged here, and which calls of the MCP
// endpoint follow from them. No I/O.
namespace aispm::gateway {

// Whose calls they are.
struct AskedFor {
  std::string agent;    // Caller::key()
  std::string session;  // "" = not known: it goes with any of that agent
};

// A call in a reply that went to its agent.
struct AskedCall {
  std::string tool;     // as the model named it
  std::string digest;   // digest_of_arguments()
  std::string session;  // of AskedFor
  std::string event_id;
  std::string trace_id;
  std::chrono::steady_clock::time_point at{};
};

enum class AskedMatch : std::uint8_t {
  kUnknown,  // no model spoke to that agent here of late
  kNone,     // models did, but none asked for this
  kChanged,  // it was asked for with other arguments
  kExact,
};
std::string_view name_of(AskedMatch match);  // "unknown", "none", "changed", "exact"

// Lower-case hex SHA-256 of a JSON text in canonical form, "" being {}; of the bytes where it is no
// JSON that can only be read in one way.
std::string digest_of_arguments(std::string_view arguments);

// Whether a model that says `asked` means `name` of `server`: under the endpoint's name
// (`server__name`), also behind a prefix of the client's own (`mcp__gateway__server__name`), or
// without the server. Letters that models' APIs do not take in names are `_`.
bool means_tool(std::string_view asked, std::string_view server, std::string_view name);

// Bounded: of an agent the oldest calls go first, of agents the one that was idle longest; both are
// counted. Any thread. The time of the question is passed in.
class AskedCalls {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMaxAgents = 4096;
  static constexpr std::size_t kMaxCalls = 256;  // of one agent that nobody has made yet
  static constexpr std::size_t kMaxTool = 256;   // longer names are no tool's of this endpoint

  explicit AskedCalls(std::chrono::milliseconds within) : within_(within) {}

  // A model's reply went to that agent.
  void note_reply(const AskedFor& whom, Time now);
  // And asked for this call. The client must not have it yet.
  void note_call(const AskedFor& whom, AskedCall call, Time now);

  // What a call of the endpoint follows from. What it took out is put back when it ends, unless
  // keep() was called: asked for once, made once.
  class Claim {
   public:
    Claim() = default;
    Claim(AskedCalls* book, std::string agent, AskedMatch match, std::optional<AskedCall> call)
        : book_(book), agent_(std::move(agent)), match_(match), call_(std::move(call)) {}
    ~Claim();
    Claim(Claim&& other) noexcept;
    Claim& operator=(Claim&& other) noexcept;

    AskedMatch match() const { return match_; }
    const AskedCall* call() const { return call_ ? &*call_ : nullptr; }
    void keep() { book_ = nullptr; }  // the call was made

   private:
    AskedCalls* book_ = nullptr;
    std::string agent_;
    AskedMatch match_ = AskedMatch::kUnknown;
    std::optional<AskedCall> call_;
  };
  // The oldest with these very arguments, else the oldest of that tool.
  Claim take(const AskedFor& whom, std::string_view server, std::string_view tool,
             std::string_view arguments, Time now);

  std::size_t size() const;         // calls that nobody has made yet
  std::uint64_t forgotten() const;  // calls given up for others', since the start

 private:
  struct Agent {
    std::string key;
    Time spoke{};
    std::deque<AskedCall> calls;  // oldest first
  };
  using Agents = std::list<Agent>;  // used last first
  Agent& agent_of(const std::string& key);
  void drop_old(Agent& agent, Time now);
  void put_back(const std::string& agent, AskedCall call);

  const std::chrono::milliseconds within_;
  mutable std::mutex mutex_;
  Agents agents_;
  std::unordered_map<std::string_view, Agents::iterator> by_key_;
  std::size_t calls_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace aispm::gateway
