// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/orders.hpp"

#include <algorithm>
#include <thread>

#include "sdk/cli/describe.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;

constexpr std::chrono::milliseconds kPatience{1500};  // a connected sensor answers far sooner
constexpr std::chrono::milliseconds kPause{50};
constexpr std::size_t kShortId = 8;

std::string word_of(v1::OrderAction action) {
  switch (action) {
    case v1::ORDER_ACTION_BLOCK:
      return "block";
    case v1::ORDER_ACTION_ALLOW:
      return "allow";
    case v1::ORDER_ACTION_QUARANTINE:
      return "quarantine";
    case v1::ORDER_ACTION_KILL:
      return "kill";
    default:
      return "?";
  }
}

template <typename List>
std::string join(const List& list) {
  std::string text;
  for (const auto& item : list) {
    if constexpr (std::is_convertible_v<decltype(item), std::string>)
      text += (text.empty() ? "" : ",") + item;
    else
      text += (text.empty() ? "" : ",") + std::to_string(item);
  }
  return text;
}

// How many hosts have it in force, and the first problem.
Cell states_of(const v1::Order& order) {
  if (order.has_deleted()) return {"undone by " + order.deleted_by(), Style::kDim};
  const auto& states = order.states();
  const auto in_force =
      std::ranges::count_if(states, [](const v1::OrderState& state) { return state.in_force(); });
  for (const v1::OrderState& state : states)
    if (!state.in_force())
      return {"not on " + state.host_id() + ": " + state.problem(), Style::kBad};
  if (in_force == 0) return {"no sensor has it yet", Style::kWarn};
  return {"in force on " + std::to_string(in_force) + (in_force == 1 ? " host" : " hosts"),
          Style::kGood};
}

Result<v1::OrderList> fetch(Client& client, bool with_past, std::size_t limit) {
  v1::ListOrdersRequest request;
  request.set_with_past(with_past);
  return client.list(&Stub::ListOrders, request, &v1::OrderList::orders_size, limit);
}

// The start time of a process by its pid: what the collector has seen run on that host.
Result<std::uint64_t> find_start(Client& client, const v1::OrderMatch& match) {
  AISPM_TRY(const v1::ProcessList list, client.list(&Stub::ListProcesses, v1::ListRequest(),
                                                    &v1::ProcessList::processes_size, 0));
  for (const v1::AiProcess& one : list.processes())
    if (one.host_id() == match.host_id() && one.process().pid() == match.pid() && one.running())
      return one.process().start_boottime_ns();
  return fail(Errc::kNotFound, "no running AI process has pid " + std::to_string(match.pid()) +
                                   " on that host; give --start as `aispm events --json` shows it");
}

Result<std::string> whole_id(Client& client, const std::string& id) {
  AISPM_TRY(const v1::OrderList list, fetch(client, false, 0));
  std::string found;
  for (const v1::Order& order : list.orders()) {
    if (!order.id().starts_with(id)) continue;
    if (!found.empty()) return fail(Errc::kInvalid, "more than one order starts with " + id);
    found = order.id();
  }
  if (found.empty()) return fail(Errc::kNotFound, "no order in force has the id " + id);
  return found;
}

}  // namespace

std::string describe(const v1::Order& order) {
  const v1::OrderMatch& match = order.match();
  std::string text = word_of(order.action());
  const auto add = [&text](const char* name, const std::string& value) {
    if (!value.empty()) text += std::string(" ") + name + " " + value;
  };
  if (match.pid() != 0) add("pid", std::to_string(match.pid()));
  add("agent", match.agent_id());
  add("exe", match.exe());
  add("user", match.user());
  add("cgroup", match.cgroup());
  add("container", match.container_id());
  add("to", join(match.addresses()));
  add("ports", join(match.ports()));
  add("domain", match.domain());
  add("provider", match.provider());
  add("model", match.model());
  add("all but", join(order.egress()));
  add("programs", join(order.programs()));
  add("writes outside", join(order.write_folders()));
  add("programs other than", join(order.approved()));
  add("prompts with", order.detection());
  if (order.raw_sockets()) text += " raw sockets";
  if (order.kernel_writes()) text += " writes to /proc and /sys";
  if (order.tamper()) text += " tampering";
  if (order.kill()) text += ", and kill";
  return text;
}

Result<> create_order(Client& client, v1::CreateOrderRequest request, const Output& output) {
  v1::OrderMatch& match = *request.mutable_order()->mutable_match();
  if (match.pid() != 0 && match.start_boottime_ns() == 0) {
    AISPM_TRY(const std::uint64_t start, find_start(client, match));
    match.set_start_boottime_ns(start);
  }
  AISPM_TRY(v1::Order order, client.call(&Stub::CreateOrder, request));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (order.states_size() == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kPause);
    AISPM_TRY(const v1::OrderList list, fetch(client, false, 1000));
    for (const v1::Order& one : list.orders())
      if (one.id() == order.id()) order = one;
  }
  if (output.json) return print_json(order, output);
  const Cell state = states_of(order);
  output.stream << safe(order.id().substr(0, kShortId)) << "  " << safe(describe(order)) << "  "
                << (order.mode() == v1::ORDER_MODE_ENFORCE ? "" : "(monitor: only reported)  ")
                << paint(state.text, state.style, output.screen.colours) << "\n"
                << paint("Undo with: aispm undo " + safe(order.id().substr(0, kShortId)),
                         Style::kDim, output.screen.colours)
                << "\n";
  return {};
}

Result<> list_orders(Client& client, bool with_past, std::size_t limit, const Output& output) {
  AISPM_TRY(const v1::OrderList list, fetch(client, with_past, limit));
  if (output.json) return print_json(list, output);
  Table table(
      {{"ORDER"}, {"WHAT"}, {"MODE"}, {"STATE"}, {"CREATED"}, {"BY"}, {"EXPIRES"}, {"REASON"}});
  for (const v1::Order& order : list.orders()) {
    const bool is_enforced = order.mode() == v1::ORDER_MODE_ENFORCE;
    table.add({order.id().substr(0, kShortId),
               describe(order),
               {is_enforced ? "enforce" : "monitor", is_enforced ? Style::kBad : Style::kPlain},
               states_of(order),
               age_text(order.created(), output.now),
               order.created_by(),
               order.has_expires() ? time_text(order.expires()) : "-",
               order.reason()});
  }
  output.stream << table.render(output.screen, "No orders: `aispm block --help` says how.");
  return {};
}

Result<> undo_order(Client& client, const std::string& id, const Output& output) {
  v1::DeleteOrderRequest request;
  AISPM_TRY(*request.mutable_order_id(), whole_id(client, id));
  AISPM_TRY(const v1::Order order, client.call(&Stub::DeleteOrder, request));
  if (output.json) return print_json(order, output);
  output.stream << "Undone: " << safe(describe(order)) << "\n";
  return {};
}

}  // namespace aispm::cli
