// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/wire_error.hpp"
#include "gateway/proxy/worker.hpp"

namespace aispm::gateway {

// Who is at the other end. Of a relayed connection known from its start; of a TCP connection per
// request, by its key.
struct Caller {
  std::string agent_id;
  std::string session_id;
  std::string tenant;
  std::string trace_id;  // the run's, when the relay named one
  // Runs of the same user for whom it runs, the first of all first: it has no more rights than they
  // have. Only of a run.
  std::vector<model::RunParent> parents = {};

  // Of what is kept about an agent: two tenants may have agents of one name. NUL is in no name.
  std::string key() const { return tenant + std::string(1, '\0') + agent_id; }
  // By whom freezes find it.
  FreezeKey freeze_key(std::string model = {}) const {
    return {agent_id, session_id, tenant, std::move(model), parents};
  }
};

enum class Entrance : std::uint8_t {
  kKeyed,    // TCP: each request shows an agent's key
  kRelayed,  // Unix socket, bytes of a sandboxed agent
  kRun,      // Unix socket, aispm-run itself
};

// A client's connection: reads requests, writes replies. Lives on its worker's thread.
class Client {
 public:
  Client(Worker& worker, std::unique_ptr<net::Stream> stream)
      : worker_(worker), stream_(std::move(stream)) {}

  // Waits for the next request's head, at most the idle limit; nothing when the client is done.
  // From its first byte on the request limit runs.
  net::Task<std::optional<codec::http1::Head>> next_head();
  // Uses the head up (its views die with the next read) and reads its body. `head` only for its
  // framing.
  net::Task<std::string_view> read_body(codec::http1::Head head, std::size_t limit_bytes);
  // The same, with its Content-Encoding undone; `limit_bytes` holds for both forms. kUnsupported: a
  // coding that is not read here, or more than one; kInvalid: broken, cut off or with more behind
  // it.
  net::Task<std::string_view> read_decoded_body(codec::http1::Head head, std::size_t limit_bytes);
  // The request is over: its bytes are given back.
  void finish_request();
  // Nobody reads the request any more, though it is not over: likewise, and all of their memory.
  void let_go_of_body();

  // Each write is bounded by the client_write limit.
  net::Task<> send(std::string_view head, std::string_view body = {});
  net::Task<> send_chunk(std::string_view bytes);
  // Sends what goes without waiting, as a chunk or as it is. The rest, if any, is put behind
  // `rest`: send() it.
  Result<> send_piece_now(std::string_view bytes, bool as_chunk, std::string& rest);
  net::Task<> refuse(Dialect dialect, const Refusal& refusal, bool keep_alive,
                     bool with_body = true);
  // Refuses a request that was not read to its end, and closes: false.
  net::Task<bool> refuse_unread(const Refusal& refusal);
  // Closes so that a reply to a request not read to its end still arrives: reads on while more
  // comes, within bounds.
  net::Task<> linger();

  Worker& worker() { return worker_; }
  net::Stream& stream() { return *stream_; }
  InputBuffer& input() { return input_; }

  Entrance entrance = Entrance::kKeyed;
  Caller caller;  // of a relayed connection
  // Of a relayed connection: the host that aispm-run opened it for, after asking the run's profile.
  std::optional<HostPort> egress;
  std::string named_parent;  // session of the run that aispm-run was told to run for, "" = none
  std::string correlation;   // id that the request brought, "" = none
  std::string reply_lines;   // header lines that the next reply carries besides

 private:
  Worker& worker_;
  std::unique_ptr<net::Stream> stream_;
  InputBuffer input_;
  codec::http1::HeadParser parser_{codec::http1::HeadParser::Role::kRequest};
  std::string spill_;
  std::string decoded_;
  std::size_t unread_in_place_ = 0;
};

inline constexpr std::string_view kNoAgentKey = "this is not the key of an agent";

// Serves a connection to its end.
net::asio::awaitable<void> serve_client(Worker& worker, net::Stream::Socket socket, bool is_local);

}  // namespace aispm::gateway
