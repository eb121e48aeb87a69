// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/order_convert.hpp"

#include "sdk/core/report/convert_parts.hpp"

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

namespace {

v1::OrderAction action_of(model::OrderAction action) {
  switch (action) {
    case model::OrderAction::kBlock:
      return v1::ORDER_ACTION_BLOCK;
    case model::OrderAction::kAllow:
      return v1::ORDER_ACTION_ALLOW;
    case model::OrderAction::kQuarantine:
      return v1::ORDER_ACTION_QUARANTINE;
    case model::OrderAction::kKill:
      return v1::ORDER_ACTION_KILL;
    case model::OrderAction::kUnspecified:
      break;
  }
  return v1::ORDER_ACTION_UNSPECIFIED;
}

void set_time(WallTime time, google::protobuf::Timestamp* to) {
  const TimeParts parts = parts_of(time);
  to->set_seconds(parts.seconds);
  to->set_nanos(parts.nanos);
}

void set_match(const model::OrderMatch& from, v1::OrderMatch* to) {
  to->set_host_id(from.host_id);
  to->set_pid(from.process.pid);
  to->set_start_boottime_ns(from.process.start.nanoseconds);
  to->set_exe(from.exe);
  to->set_agent_id(from.agent_id);
  to->set_user(from.user);
  to->set_cgroup(from.cgroup);
  to->set_container_id(from.container_id);
  to->mutable_addresses()->Add(from.addresses.begin(), from.addresses.end());
  to->mutable_ports()->Add(from.ports.begin(), from.ports.end());
  to->set_domain(from.domain);
  to->set_provider(from.provider);
  to->set_model(from.model);
}

}  // namespace

v1::Order to_proto(const model::Order& from) {
  v1::Order order;
  order.set_id(from.id);
  order.set_action(action_of(from.action));
  order.set_mode(from.enforces ? v1::ORDER_MODE_ENFORCE : v1::ORDER_MODE_MONITOR);
  set_match(from.match, order.mutable_match());
  order.set_raw_sockets(from.raw_sockets);
  order.set_kernel_writes(from.kernel_writes);
  order.set_tamper(from.tamper);
  order.mutable_programs()->Add(from.programs.begin(), from.programs.end());
  order.mutable_write_folders()->Add(from.write_folders.begin(), from.write_folders.end());
  order.mutable_approved()->Add(from.approved.begin(), from.approved.end());
  order.mutable_egress()->Add(from.egress.begin(), from.egress.end());
  order.set_detection(from.detection);
  order.set_kill(from.kills);
  order.set_refuse(from.refuses);
  order.set_reason(from.reason);
  order.set_created_by(from.created_by);
  set_time(from.created, order.mutable_created());
  if (from.expires.nanoseconds != 0) set_time(from.expires, order.mutable_expires());
  return order;
}

}  // namespace aispm::report
