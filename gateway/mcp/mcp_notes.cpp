// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_notes.hpp"

#include "gateway/mcp/mcp_screen.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {

using codec::json_string;
using net::asio::awaitable;

NoteRelay::NoteRelay(Worker& worker, const McpSession& session, const McpMessage& asked,
                     const ScanContext& scan, const McpTell& tell)
    : worker_(worker), session_(session), asked_(asked), scan_(scan), tell_(tell) {}

void NoteRelay::attach(ServerLink& link) {
  if (!tell_) return;
  link.on_note([this, &link](const ServerMessage& note) { return pass(link, note); });
}

std::optional<std::string> NoteRelay::progress_of(const ServerLink& link,
                                                  const std::string& params) const {
  if (asked_.progress_token.empty()) return std::nullopt;
  const auto progress = read_progress(params);
  if (!progress || progress->token != link.asked_id()) return std::nullopt;
  std::string json =
      "{\"progressToken\":" + asked_.progress_token + ",\"progress\":" + progress->progress;
  if (!progress->total.empty()) json += ",\"total\":" + progress->total;
  if (!progress->message.empty()) json += ",\"message\":" + json_string(progress->message);
  return json + "}";
}

std::optional<std::string> NoteRelay::log_of(const std::string& params) const {
  const auto log = read_log(params);
  if (!log) return std::nullopt;
  // 2026-07-28: only who asks for logs gets them, and says so with each request.
  const auto wanted =
      asked_.is_stateless ? rank_of_log(asked_.log_level) : std::optional(session_.log_rank());
  if (!wanted || *rank_of_log(log->level) < *wanted) return std::nullopt;
  std::string json = "{\"level\":" + json_string(log->level);
  if (!log->logger.empty()) json += ",\"logger\":" + json_string(log->logger);
  return json + ",\"data\":" + log->data + "}";
}

awaitable<void> NoteRelay::pass(ServerLink& link, const ServerMessage& note) {
  auto params = note.method == "notifications/progress" ? progress_of(link, note.params)
                                                        : log_of(note.params);
  if (!params) co_return;
  ResultLook look =
      look_at_result(scan_, codec::Surface::kToolResult, asked_.target, std::move(*params));
  if (look.objection) {
    worker_.counters().mcp_results_withheld.add();
    co_return;
  }
  std::string words = server_notification(note.method, look.result);
  const bool is_there = co_await tell_(std::move(words));
  if (!is_there) link.abort();
}

}  // namespace aispm::gateway
