// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/convert_parts.hpp"

namespace aispm::report {

void put(const model::ActionCall& body, v1::ActionCall& to) {
  to.set_surface(to_utf8(body.surface));
  to.set_tool(to_utf8(body.tool));
  to.set_tool_provider(to_utf8(body.tool_provider));
  to.set_destination(to_utf8(body.destination));
  to.set_digest(to_utf8(body.digest));
  to.set_arguments_text(to_utf8(body.arguments_text));
  put(body.data_labels, to.mutable_data_labels());
  put(body.inputs, to.mutable_inputs());
  to.set_policy_id(to_utf8(body.policy_id));
  to.set_approval_id(to_utf8(body.approval_id));
  to.set_risk(body.risk);
  to.set_agent_type(to_utf8(body.agent_type));
  put(body.roles, to.mutable_roles());
  to.set_trust(to_utf8(body.trust));
  to.set_environment(to_utf8(body.environment));
  to.set_call_event_id(to_utf8(body.call_event_id));
  to.set_model(to_utf8(body.model));
  to.set_provider(to_utf8(body.provider));
  to.set_description_sha256(to_utf8(body.description_sha256));
  to.set_schema_sha256(to_utf8(body.schema_sha256));
}

void put(const model::OperatorAction& body, v1::OperatorAction& to) {
  to.set_who(to_utf8(body.who));
  to.set_action(to_utf8(body.action));
  to.set_target(to_utf8(body.target));
  to.set_reason(to_utf8(body.reason));
  to.set_before(to_utf8(body.before));
  to.set_after(to_utf8(body.after));
}

model::ActionCall get(const v1::ActionCall& from) {
  model::ActionCall out;
  out.surface = from.surface();
  out.tool = from.tool();
  out.tool_provider = from.tool_provider();
  out.destination = from.destination();
  out.digest = from.digest();
  out.arguments_text = from.arguments_text();
  out.data_labels = get(from.data_labels());
  out.inputs = get(from.inputs());
  out.policy_id = from.policy_id();
  out.approval_id = from.approval_id();
  out.risk = from.risk();
  out.agent_type = from.agent_type();
  out.roles = get(from.roles());
  out.trust = from.trust();
  out.environment = from.environment();
  out.call_event_id = from.call_event_id();
  out.model = from.model();
  out.provider = from.provider();
  out.description_sha256 = from.description_sha256();
  out.schema_sha256 = from.schema_sha256();
  return out;
}

model::OperatorAction get(const v1::OperatorAction& from) {
  model::OperatorAction out;
  out.who = from.who();
  out.action = from.action();
  out.target = from.target();
  out.reason = from.reason();
  out.before = from.before();
  out.after = from.after();
  return out;
}

}  // namespace aispm::report
