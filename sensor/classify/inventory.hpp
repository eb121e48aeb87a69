// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/classify/claims.hpp"
#include "sensor/classify/classifier.hpp"

namespace aispm::sensor {

// A change of the inventory, to be reported.
struct AssetChange {
  model::Asset asset;
  std::optional<model::Process> process;  // one that is behind it
  std::vector<model::Detection> detections;
};

// What AI exists on this host, put together from everything that was seen: one object for each real
// thing, reported when it appears, changes or ends, and all of them in each resync. Sources are
// processes and files; what a source says replaces what it said before. Pure and bounded; not
// thread-safe.
class Inventory {
 public:
  static constexpr std::size_t kMaxProcesses = 8192;  // with facts
  static constexpr std::size_t kMaxFiles = 8192;
  static constexpr std::size_t kMaxAssets = 16384;
  static constexpr std::size_t kMaxEvidence = 32;  // of one asset; the strongest are kept

  // `host` makes asset ids differ between hosts: a machine id.
  Inventory(Signatures signatures, Registry registry, std::string host);

  // Takes new signatures; what is known is judged again as it is seen again.
  Result<> replace(Signatures signatures);

  // Live observations. Cheap for processes that are no AI: an exec costs one look by base name, one
  // by command and one Hyperscan pass.
  void on_exec(const model::Process& process);
  void on_listen(const model::Process& process, const model::SocketListen& listen);
  void on_host(const model::Process& process, std::string_view host);
  // What its requests say of the program: user agent and names of headers.
  void on_client_words(const model::Process& process, std::string_view user_agent,
                       const std::vector<std::string>& headers);
  // `is_server`: the process answered it and is a model server.
  void on_llm_call(const model::Process& process, const model::LlmCall& call, bool is_server);
  void on_mcp_call(const model::Process& client, const model::McpCall& call);
  void on_exit(const ProcessId& id);
  // From discovery.
  void on_scan(const ProcessScan& scan);
  void on_answer(const model::Process& process, const HttpAnswer& answer);
  void on_file(const FoundFile& file);
  void on_file_gone(const std::string& path);

  // What changed since the last call.
  std::vector<AssetChange> take_changes();
  // Everything, each with `resync_id`.
  std::vector<AssetChange> resync(const std::string& resync_id);

  // Whether a look into this process may find more: it is known, or is an interpreter.
  bool is_known(const ProcessId& id) const;
  std::size_t size() const { return assets_.size(); }
  std::uint64_t refused() const { return refused_; }

 private:
  void on_llm_served(const model::Process& process, const model::LlmCall& call);
  using AssetId = std::pair<AssetKind, std::string>;  // kind, key
  // Processes by pid and start in clock ticks: /proc and the kernel's records agree on those.
  using Who = std::pair<std::uint32_t, std::uint64_t>;
  struct Known {
    ProcessFacts facts;
    std::vector<Claim> claims;
  };
  struct Entry {
    std::set<Who> processes;
    std::set<std::string> files;
    std::optional<model::Asset> reported;
  };

  // What its name and command line say.
  std::vector<EvidenceItem> look_at_program(const model::Process& process,
                                            std::set<std::string>& risky);
  static Who who(const ProcessId& id);
  Known* know(const model::Process& process);
  void judge(const Who& who, Known& known);
  void set_claims(std::vector<Claim>& old_claims, std::vector<Claim> claims,
                  const std::function<void(Entry&, bool)>& link);
  bool add_seen(Known& known, EvidenceItem evidence);
  model::Asset build(const AssetId& id, const Entry& entry) const;
  std::vector<AssetChange> take_gone();
  std::optional<AssetChange> take_change(const AssetId& id, Entry& entry, bool is_resync);
  std::string asset_id(const AssetId& id) const;

  Signatures signatures_;
  Registry registry_;
  std::string host_;
  std::optional<CommandMatcher> commands_;
  std::map<Who, Known> processes_;
  std::map<std::string, std::vector<Claim>> files_;
  std::map<AssetId, Entry> assets_;
  std::set<AssetId> changed_;
  std::multiset<std::string> configured_;  // keys of stdio MCP servers in files
  std::uint64_t refused_ = 0;
};

}  // namespace aispm::sensor
