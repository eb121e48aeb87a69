// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/mcp/mcp_notes.hpp"
#include "gateway/mcp/wishes.hpp"
#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

// What a server asks of a client while one request of that client runs: granted by the
// configuration, judged as an action of its own (`sampling/createMessage` of that server), looked
// through both ways, and passed on to a client that said it can be asked. What is referred to must
// outlive it.
class WishDesk {
 public:
  // Rounds of one request (2026-07-28).
  static constexpr int kMaxRounds = 10;
  // How long a client may take between a question and its answer (2026-07-28).
  static constexpr std::chrono::minutes kAnswerLimit{15};

  WishDesk(Worker& worker, McpSession& session, const Caller& caller, const ShownProofs& proofs,
           const McpMessage& asked, const McpServerConfig& server, const ScanContext& scan,
           const McpTell& tell);

  // Takes over what `link`'s server asks while its stream runs, where anything is granted.
  void attach(ServerLink& link);

  // What the server asks beside all requests, on the stream of `link`: the member of a JSON-RPC
  // message that answers it.
  net::asio::awaitable<std::string> answer_aside(ServerLink& link, const ServerMessage& wish);

  // Asks the server, answering what it wants to know as long as this client can be asked here and
  // now. A result that needs_input is for the client: with what it is to be asked.
  net::Task<ServerMessage> ask(ServerLink& link, ServerAsk what);

  // What came with the request is no answer to what this client was asked, or withheld.
  bool has_bad_answer() const { return has_bad_answer_; }
  // What was refused, for the record of the request.
  const std::vector<std::string>& refused() const { return refused_; }

 private:
  struct Reply;
  // 2026-07-28: the params of the request with the answers that came along; "" = none came.
  Result<std::string> bring(const std::string& params) const;
  net::Task<std::string> admit(WishKind kind, const std::string& method, std::string params);
  Result<std::string> check_answer(WishKind kind, std::string_view result) const;
  net::Task<std::string> ask_client(WishKind kind, const std::string& method,
                                    const std::string& params);
  net::Task<std::string> grant(const std::string& method, const std::string& params);
  net::asio::awaitable<std::string> answer(const ServerMessage& wish);
  net::Task<InputAnswers> answer_round(const InputRound& round);
  net::Task<std::string> pass_round(InputRound round);
  std::string binding() const;

  Worker& worker_;
  McpSession& session_;
  const Caller& caller_;
  const ShownProofs& proofs_;
  const McpMessage& asked_;
  const McpServerConfig& server_;
  const ScanContext& scan_;
  const McpTell& tell_;
  const McpAbilities can_;  // of this client, for this server
  ServerLink* link_ = nullptr;
  std::vector<std::string> refused_;
  bool has_bad_answer_ = false;
};

}  // namespace aispm::gateway
