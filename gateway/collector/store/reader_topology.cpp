// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "gateway/collector/inventory/graph.hpp"
#include "gateway/collector/store/inventory_reader.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::uint32_t kMaxDepth = 4;
constexpr std::uint32_t kMaxHours = 2160;
constexpr std::uint32_t kDefaultHours = 168;
constexpr std::int64_t kHour = 3'600'000'000'000;
constexpr int kMaxRows = 20'000;
constexpr std::size_t kMaxEdges = 1000;
constexpr int kMaxNames = 16;

struct Node {
  std::int64_t kind = 0;
  std::string name;
};

// Edges of all agents and hosts between the same two nodes.
struct Joined {
  std::set<std::string> agents, hosts;
  std::uint64_t count = 0, bytes = 0;
  std::int64_t first = INT64_MAX, last = 0, risky = 0;
};

using Pair = std::pair<std::int64_t, std::int64_t>;

struct Picture {
  std::map<std::int64_t, Node> nodes;
  std::map<Pair, Joined> edges;
  std::vector<Pair> order;  // the edge seen last first
  std::set<std::int64_t> actors;
  bool is_cut = false;
};

Result<Picture> read_picture(Statement& find, std::int64_t since) {
  Picture picture;
  for (int rows = 0;; ++rows) {
    AISPM_TRY(const bool is_row, find.step());
    if (!is_row) return picture;
    if (rows == kMaxRows) {
      picture.is_cut = true;
      find.reset();
      return picture;
    }
    for (const int column : {0, 3, 6})
      picture.nodes[find.integer(column)] = {find.integer(column + 1), find.text(column + 2)};
    picture.actors.insert(find.integer(0));
    const Pair pair{find.integer(3), find.integer(6)};
    const auto [found, is_new] = picture.edges.try_emplace(pair);
    if (is_new) picture.order.push_back(pair);
    Joined& joined = found->second;
    joined.agents.insert(find.text(2));
    joined.hosts.insert(find.text(9));
    joined.first = std::min(joined.first, find.integer(10));
    joined.last = std::max(joined.last, find.integer(11));
    joined.count += find.count(12);
    joined.bytes += find.count(13);
    if (find.integer(14) >= since) joined.risky = find.integer(14);
  }
}

// The nodes within `depth` steps of an actor.
std::set<std::int64_t> reach(const Picture& picture, std::uint32_t depth) {
  std::set<std::int64_t> reached = picture.actors;
  std::set<std::int64_t> edge = reached;
  for (std::uint32_t step = 0; step < depth && !edge.empty(); ++step) {
    std::set<std::int64_t> next;
    for (const auto& [pair, joined] : picture.edges)
      if (edge.contains(pair.first) && reached.insert(pair.second).second) next.insert(pair.second);
    edge = std::move(next);
  }
  return reached;
}

// Steps from an actor to the start of each edge decide whether the edge is within the depth.
std::map<std::int64_t, std::uint32_t> distances(const Picture& picture) {
  std::map<std::int64_t, std::uint32_t> steps;
  for (const std::int64_t actor : picture.actors) steps[actor] = 0;
  for (std::uint32_t depth = 1; depth <= kMaxDepth; ++depth) {
    const auto reached = reach(picture, depth);
    for (const std::int64_t node : reached) steps.try_emplace(node, depth);
  }
  return steps;
}

void add_texts(const std::set<std::string>& texts,
               google::protobuf::RepeatedPtrField<std::string>* to) {
  for (const auto& text : texts) {
    if (to->size() == kMaxNames) return;
    to->Add()->assign(text);
  }
}

pb::Topology draw(const Picture& picture, std::uint32_t depth) {
  pb::Topology topology;
  topology.set_truncated(picture.is_cut);
  const auto steps = distances(picture);
  std::map<std::int64_t, bool> shown;  // node -> is risky
  for (const Pair& pair : picture.order) {
    const auto start = steps.find(pair.first);
    if (start == steps.end() || start->second >= depth) continue;
    if (static_cast<std::size_t>(topology.edges_size()) == kMaxEdges) {
      topology.set_truncated(true);
      break;
    }
    const Joined& joined = picture.edges.at(pair);
    pb::TopologyEdge& edge = *topology.add_edges();
    edge.set_from("n" + std::to_string(pair.first));
    edge.set_to("n" + std::to_string(pair.second));
    add_texts(joined.agents, edge.mutable_agents());
    add_texts(joined.hosts, edge.mutable_hosts());
    edge.set_count(joined.count);
    edge.set_bytes(joined.bytes);
    set_time(joined.first, edge.mutable_first_seen());
    set_time(joined.last, edge.mutable_last_seen());
    edge.set_risky(joined.risky != 0);
    shown.try_emplace(pair.first, false);
    shown[pair.second] = shown[pair.second] || joined.risky != 0;
  }
  for (const auto& [ref, is_risky] : shown) {
    const Node& node = picture.nodes.at(ref);
    pb::TopologyNode& drawn = *topology.add_nodes();
    drawn.set_id("n" + std::to_string(ref));
    drawn.set_kind(std::string(inventory::name_of(static_cast<inventory::NodeKind>(node.kind))));
    drawn.set_name(node.name);
    drawn.set_risky(is_risky);
  }
  return topology;
}

}  // namespace

Result<pb::Topology> InventoryReader::topology(const pb::GetTopologyRequest& request,
                                               WallTime now) {
  const QueryDeadline deadline(database_);
  if (request.depth() > kMaxDepth)
    return fail(Errc::kInvalid, "depth: allowed is 1..4, or 0 for 4");
  if (request.hours() > kMaxHours)
    return fail(Errc::kInvalid, "hours: allowed is 1..2160, or 0 for 168");
  const std::uint32_t hours = request.hours() == 0 ? kDefaultHours : request.hours();
  const std::int64_t since = now.nanoseconds - hours * kHour;
  std::string sql =
      "SELECT a.ref, a.kind, a.name, s.ref, s.kind, s.name, t.ref, t.kind, t.name, h.hostname, "
      "e.first_seen, e.last_seen, e.count, e.bytes, e.risky FROM edges e JOIN nodes a ON "
      "a.ref=e.agent JOIN nodes s ON s.ref=e.source JOIN nodes t ON t.ref=e.target JOIN hosts h ON "
      "h.ref=e.host WHERE e.last_seen>=?1";
  if (!request.agent_id().empty())
    sql += " AND e.agent IN (SELECT ref FROM nodes WHERE kind IN (1, 2) AND name=?2)";
  if (!request.host_id().empty()) sql += " AND e.host=(SELECT ref FROM hosts WHERE host_id=?3)";
  sql += " ORDER BY e.last_seen DESC LIMIT ?4";
  AISPM_TRY(Statement* const find, database_.cached(sql));
  find->bind(since, request.agent_id(), request.host_id(), kMaxRows + 1);
  AISPM_TRY(const Picture picture, read_picture(*find, since));
  return draw(picture, request.depth() == 0 ? kMaxDepth : request.depth());
}

}  // namespace aispm::collector::store
