// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>
#include <string>

#include "sdk/cli/client.hpp"
#include "sdk/cli/table.hpp"
#include "sdk/core/common/time.hpp"

// What each subcommand does: ask, then print a table for people or JSON for machines (proto3 JSON
// with the field names of proto/aispm/v1, one document; lines of it when following).
namespace aispm::cli {

struct Output {
  std::ostream& stream;
  Screen screen;
  bool json = false;
  WallTime now;
  int* exit_status = nullptr;  // of the program when all went well; null: 0
};

struct EventFilter {
  std::string kind;
  std::string agent;
  std::string session;
  std::string host;
  std::string trace;
  std::size_t limit = 100;  // 0 = all
};

Result<> show_status(Client& client, const Output& output);
// `what`: "hosts", "processes", "agents", "providers", "models", or "" for all.
Result<> show_inventory(Client& client, const std::string& what, const std::string& query,
                        std::size_t limit, const Output& output);
Result<> show_events(Client& client, const EventFilter& filter, const Output& output);
// Events as they are stored, until the output is closed or the collector ends the stream.
Result<> follow_events(Client& client, const EventFilter& filter, const Output& output);
Result<> list_sessions(Client& client, const std::string& query, std::size_t limit,
                       const Output& output);
// `id` may be "last": the newest session.
Result<> show_session(Client& client, const std::string& id, const Output& output);
Result<> create_agent_key(Client& client, const std::string& agent, const std::string& note,
                          const Output& output);
Result<> list_agent_keys(Client& client, std::size_t limit, const Output& output);
Result<> revoke_agent_key(Client& client, const std::string& key_id, const Output& output);
Result<> create_enrolment_token(Client& client, std::uint32_t valid_seconds, const Output& output);

// kInvalid with the names allowed when `kind` is not a body of Event.
Result<> check_kind(const std::string& kind);
// One line without a newline.
Result<std::string> json_of(const google::protobuf::Message& message, bool with_defaults);
// One document and a line end.
Result<> print_json(const google::protobuf::Message& message, const Output& output,
                    bool with_defaults = true);

}  // namespace aispm::cli
