// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/order_convert.hpp"

namespace aispm::report {
namespace {

constexpr std::int64_t kMaxSeconds = 9'223'372'036;  // 2262

Result<WallTime> time_of(const google::protobuf::Timestamp& time) {
  if (time.seconds() < 0 || time.seconds() >= kMaxSeconds || time.nanos() < 0 ||
      time.nanos() > 999'999'999)
    return fail(Errc::kInvalid, "order with an impossible time");
  return WallTime{time.seconds() * 1'000'000'000 + time.nanos()};
}

template <typename List>
std::vector<std::string> list_of(const List& list) {
  return {list.begin(), list.end()};
}

Result<model::OrderAction> action_of(v1::OrderAction action) {
  switch (action) {
    case v1::ORDER_ACTION_BLOCK:
      return model::OrderAction::kBlock;
    case v1::ORDER_ACTION_ALLOW:
      return model::OrderAction::kAllow;
    case v1::ORDER_ACTION_QUARANTINE:
      return model::OrderAction::kQuarantine;
    case v1::ORDER_ACTION_KILL:
      return model::OrderAction::kKill;
    default:
      return fail(Errc::kInvalid, "order with an action that this version does not know");
  }
}

Result<model::OrderMatch> match_of(const v1::OrderMatch& from) {
  model::OrderMatch match;
  match.host_id = from.host_id();
  match.process = {from.pid(), {from.start_boottime_ns()}};
  match.exe = from.exe();
  match.agent_id = from.agent_id();
  match.user = from.user();
  match.cgroup = from.cgroup();
  match.container_id = from.container_id();
  match.addresses = list_of(from.addresses());
  for (const std::uint32_t port : from.ports()) {
    if (port == 0 || port > 65535) return fail(Errc::kInvalid, "order with an impossible port");
    match.ports.push_back(static_cast<std::uint16_t>(port));
  }
  match.domain = from.domain();
  match.provider = from.provider();
  match.model = from.model();
  return match;
}

}  // namespace

Result<model::Order> from_proto(const v1::Order& from) {
  model::Order order;
  order.id = from.id();
  if (order.id.empty()) return fail(Errc::kInvalid, "order without an id");
  AISPM_TRY(order.action, action_of(from.action()));
  if (!v1::OrderMode_IsValid(from.mode()))
    return fail(Errc::kInvalid, "order with a mode that this version does not know");
  order.enforces = from.mode() == v1::ORDER_MODE_ENFORCE;
  AISPM_TRY(order.match, match_of(from.match()));
  order.raw_sockets = from.raw_sockets();
  order.kernel_writes = from.kernel_writes();
  order.tamper = from.tamper();
  order.programs = list_of(from.programs());
  order.write_folders = list_of(from.write_folders());
  order.approved = list_of(from.approved());
  order.egress = list_of(from.egress());
  order.detection = from.detection();
  order.kills = from.kill();
  order.refuses = from.refuse();
  order.reason = from.reason();
  order.created_by = from.created_by();
  AISPM_TRY(order.created, time_of(from.created()));
  if (from.has_expires()) {
    AISPM_TRY(order.expires, time_of(from.expires()));
  }
  return order;
}

}  // namespace aispm::report
