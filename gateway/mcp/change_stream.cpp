// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/change_stream.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <deque>

#include "gateway/mcp/mcp_listing.hpp"
#include "gateway/mcp/mcp_names.hpp"
#include "gateway/mcp/mcp_screen.hpp"
#include "gateway/mcp/mcp_subscribe.hpp"
#include "gateway/mcp/server_asides.hpp"
#include "gateway/mcp/server_wire.hpp"
#include "gateway/proxy/decide/chain_freezes.hpp"
#include "gateway/proxy/fleet/run_freezes.hpp"
#include "sdk/core/codec/sse.hpp"

namespace aispm::gateway {

using net::Task;
using net::asio::awaitable;

namespace {

constexpr std::string_view kPulse = ": waiting\n\n";
// Changes that a client has not read yet, each once; with more its stream ends.
constexpr std::size_t kMaxPending = 1024;
constexpr std::chrono::seconds kLook{2};  // whether anybody still listens
constexpr std::chrono::seconds kPulseEvery{15};
// A stream that is older ends, and its client opens another: keys and policies change.
constexpr std::chrono::hours kMaxAge{1};
// Between attempts at a server's stream.
constexpr std::chrono::milliseconds kFirstPause{500};
constexpr std::chrono::milliseconds kLastPause{30'000};
// Subscriptions often come several at once.
constexpr std::chrono::milliseconds kSettle{200};

// One client's stream. On its worker's thread.
class Listener {
 public:
  // `kept`: what must not end as idle meanwhile. `listen_id`: "" = of a session.
  Listener(Client& client, const Caller& caller, const ShownProofs& proofs,
           std::shared_ptr<McpSession> session, std::shared_ptr<McpSession> kept,
           std::string listen_id, ChangeFilter kinds)
      : client_(client),
        worker_(client.worker()),
        config_(worker_.services().config.mcp),
        caller_(caller),
        session_(std::move(session)),
        kept_(std::move(kept)),
        listen_id_(std::move(listen_id)),
        kinds_(std::move(kinds)),
        lines_(config_.servers.size()),
        wake_(worker_.context()),
        nudge_(std::make_shared<std::function<void()>>([this] { wake(); })),
        asides_(worker_, *session_, caller_, proofs, [this] { wake(); }),
        ear_(*session_, waker()),
        freezable_(worker_.freezes(), caller_.freeze_key(),
                   hear_for_chain(worker_.freezes(), proofs.delegation,
                                  [this](const policy::Freeze* freeze) {
                                    is_frozen_ = is_frozen_ || freeze != nullptr;
                                    if (is_frozen_) wake();
                                  })) {
    const auto book = worker_.services().freezes.load();
    is_frozen_ = find_freeze(worker_.services(), caller_).has_value() ||
                 is_chain_frozen(*book, proofs.delegation, wall_now());
  }

  // After the stream's head was sent.
  Task<> run() {
    const auto begun = net::Clock::now();
    auto pulsed = begun;
    bool is_there = true;
    while (is_there && !is_over(begun)) {
      tend_lines();
      for (const auto& [server, change] : session_->take_told()) hear(server, change);
      if (net::Clock::now() - pulsed >= kPulseEvery) {
        pulsed = net::Clock::now();
        std::string pulse(kPulse);
        is_there = co_await send(std::move(pulse));
        // Too many changes may have ended it while the pulse waited.
        has_ended_ = has_ended_ || !worker_.services().mcp_sessions.touch(*kept_, pulsed);
      }
      if (is_there) is_there = co_await send_pending();
      co_await wait();
    }
    is_stopping_ = true;
    asides_.close();
    for (const auto& line : lines_)
      if (line) line->stop();
    while (running_ > 0) co_await wait();
    if (!is_there) co_return fail(Errc::kUnavailable, "the client has gone");
    if (!listen_id_.empty()) {
      const std::string last = codec::serialise_sse("message", listen_ended(listen_id_));
      AISPM_CO_CHECK(co_await client_.send_chunk(last));
    }
    co_return co_await client_.send("0\r\n\r\n");
  }

 private:
  // The stream of one server.
  struct Line {
    Line(net::asio::io_context& context, std::size_t at) : server(at), pause(context) {}
    void stop() {
      if (link != nullptr) link->abort();
      pause.cancel();
    }
    const std::size_t server;
    net::asio::steady_timer pause;
    ServerLink* link = nullptr;
    std::optional<std::string> session_id;  // in which its resources were subscribed to
    std::vector<std::string> uris;          // that it was opened with
    std::vector<std::string> heard;         // likewise, of the last stream that there was
    net::Clock::time_point opened{};
    bool runs = false;
    bool was_open = false;
    bool is_renewed = false;  // at once, not after a pause
    bool is_deaf = false;     // this server has nothing to say
  };

  std::function<void()> waker() const {
    return [&context = worker_.context(), weak = std::weak_ptr(nudge_)] {
      net::asio::post(context, [weak] {
        if (const auto nudge = weak.lock()) (*nudge)();
      });
    };
  }
  void wake() {
    is_woken_ = true;
    wake_.cancel();
  }
  awaitable<void> wait() {
    if (!is_woken_) {
      wake_.expires_after(kLook);
      co_await wake_.async_wait(net::kNoThrow);
    }
    is_woken_ = false;
  }

  // Nothing more may be told, whatever is still to be.
  bool is_cut() const { return is_frozen_ || has_ended_ || ear_.is_over(); }
  bool is_over(net::Clock::time_point begun) {
    return is_cut() || worker_.stopping() || net::Clock::now() - begun >= kMaxAge ||
           client_.stream().peer_is_gone();
  }

  // Idle for as long as it likes: only writes have a deadline.
  awaitable<bool> send(std::string event) {
    const auto sent = co_await client_.send_chunk(event);
    client_.stream().expire_never();
    co_return sent.has_value();
  }
  awaitable<bool> send_pending() {
    for (std::string words = asides_.take(); !words.empty() && !is_cut(); words = asides_.take()) {
      std::string event = codec::serialise_sse("message", words);
      const bool is_there = co_await send(std::move(event));
      if (!is_there) co_return false;
    }
    while (!pending_.empty() && !is_cut()) {
      std::string note = codec::serialise_sse("message", change_note(pending_.front(), listen_id_));
      pending_.pop_front();
      const bool is_there = co_await send(std::move(note));
      if (!is_there) co_return false;
      worker_.counters().mcp_changes.add();
    }
    co_return true;
  }

  ChangeFilter wanted_of(std::size_t index, const ServerOffers& offers) const {
    const McpServerConfig& server = config_.servers[index];
    ChangeFilter wanted{
        .tools = kinds_.tools && offers.tools_change && !server.tools.empty(),
        .prompts = kinds_.prompts && offers.prompts_change && !server.prompts.empty(),
        .resources = kinds_.resources && offers.resources_change && !server.resources.empty()};
    if (!offers.subscribe) return wanted;
    const auto uris = session_->subscriptions(index);
    wanted.uris.assign(uris.begin(), uris.end());
    return wanted;
  }

  // Beside the client's requests, which only sessions know of on both sides.
  bool may_ask(std::size_t index, const ServerSession& with) const {
    return listen_id_.empty() && !is_stateless(with) && asides_.may_ask(config_.servers[index]);
  }

  // Servers that this session speaks with are listened to, where they have something to tell.
  void tend_lines() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const ServerSession with = session_->server(i);
      if (!with.is_open) continue;  // a line that runs opens it anew by itself
      const ChangeFilter wanted = wanted_of(i, with.offers);
      std::unique_ptr<Line>& line = lines_[i];
      if (line && line->runs) {
        renew(*line, with, wanted);
        continue;
      }
      if (wanted.empty() && !may_ask(i, with)) continue;
      const bool is_same = line && line->session_id == with.id && line->uris == wanted.uris;
      if (is_same && line->is_deaf) continue;
      line = std::make_unique<Line>(worker_.context(), i);
      line->runs = true;
      ++running_;
      net::asio::co_spawn(worker_.context(), attend(*line), net::asio::detached);
    }
  }

  // What 2026-07-28 tells stands in the request, so another wish is another stream.
  void renew(Line& line, const ServerSession& with, const ChangeFilter& wanted) {
    if (!is_stateless(with) || line.link == nullptr || line.uris == wanted.uris) return;
    if (net::Clock::now() - line.opened < kSettle) return nudge_later();
    line.is_renewed = true;
    line.stop();
  }
  void nudge_later() {
    if (is_settling_) return;
    is_settling_ = true;
    ++running_;
    net::asio::co_spawn(worker_.context(), settle(), net::asio::detached);
  }
  awaitable<void> settle() {
    net::asio::steady_timer timer(worker_.context(), kSettle);
    co_await timer.async_wait(net::kNoThrow);
    is_settling_ = false;
    --running_;
    wake();
  }

  awaitable<void> attend(Line& line) {
    auto pause = kFirstPause;
    while (!is_stopping_ && !line.is_deaf) {
      const bool was_heard = co_await hear_once(line);
      pause = was_heard ? kFirstPause : std::min(pause * 2, kLastPause);
      if (is_stopping_ || line.is_deaf || std::exchange(line.is_renewed, false)) continue;
      line.pause.expires_after(pause);
      co_await line.pause.async_wait(net::kNoThrow);
    }
    line.runs = false;
    --running_;
    wake();
  }

  // Whether there was a stream.
  awaitable<bool> hear_once(Line& line) {
    ServerLink link(worker_, *session_, line.server);
    line.link = &link;
    const auto with = co_await link.connect();
    if (!with || is_stopping_) {
      line.link = nullptr;
      co_return false;
    }
    bool was_open = false;
    ServerLink::Listen what{.filter = wanted_of(line.server, with->offers),
                            .on_open = {},
                            .hear = [&](const Change& change) { hear(line.server, change); }};
    what.on_open = [&] {
      // What happened while nobody listened is not known: all may have changed that was listened
      // to.
      if (line.was_open) hear_all(line, what.filter, is_stateless(*with));
      line.was_open = was_open = true;
      line.heard = what.filter.uris;
    };
    line.uris = what.filter.uris;
    line.opened = net::Clock::now();
    const bool is_known = line.session_id == with->id;
    line.session_id = with->id;
    line.is_deaf = what.filter.empty() && !may_ask(line.server, *with);
    if (listen_id_.empty()) asides_.attach(link, config_.servers[line.server]);
    if (!is_stateless(*with) && !is_known) co_await subscribe_again(line, link);
    if (!line.is_deaf) {
      const auto heard = co_await link.listen(*with, what);
      line.is_deaf = heard && *heard == ServerLink::Heard::kNoStream;
    }
    line.link = nullptr;
    co_return was_open;
  }

  awaitable<void> subscribe_again(Line& line, ServerLink& link) {
    const std::vector<std::string> uris = line.uris;
    for (const std::string& uri : uris) {
      const ServerAsk what{
          .method = std::string(kSubscribeAction), .params = server_read(uri), .name = uri};
      (void)co_await link.ask(what);
      if (link.is_aborted()) co_return;
    }
  }

  // `is_request`: what was listened to stands in it; a session's subscriptions change beside it.
  void hear_all(const Line& line, const ChangeFilter& filter, bool is_request) {
    for (const ChangeKind kind : {ChangeKind::kTools, ChangeKind::kPrompts, ChangeKind::kResources})
      if (filter.wants(kind)) hear(line.server, {.kind = kind});
    for (const std::string& uri : filter.uris)
      if (!is_request || std::find(line.heard.begin(), line.heard.end(), uri) != line.heard.end())
        hear(line.server, {.kind = ChangeKind::kResource, .uri = uri});
  }

  void hear(std::size_t index, const Change& change) {
    const McpServerConfig& server = config_.servers[index];
    Change told = change;
    if (change.kind == ChangeKind::kResource) {
      if (!may_tell(index, change.uri)) return worker_.counters().mcp_changes_dropped.add();
      told.uri = prefixed_uri(server.endpoint.name, change.uri);
    } else {
      session_->forget_list(index, shelf_of(change.kind));
      if (change.kind == ChangeKind::kResources) session_->forget_list(index, Shelf::kTemplates);
      if (!wanted_of(index, session_->server(index).offers).wants(change.kind))
        return worker_.counters().mcp_changes_dropped.add();
    }
    if (std::find(pending_.begin(), pending_.end(), told) != pending_.end()) return;
    if (pending_.size() >= kMaxPending) {
      worker_.counters().mcp_changes_dropped.add();
      has_ended_ = true;  // it opens another stream, and reads what it needs
    } else {
      pending_.push_back(std::move(told));
    }
    wake();
  }

  // A server may name a part of what was subscribed to, never what this agent may not read.
  bool may_tell(std::size_t index, const std::string& uri) {
    const McpServerConfig& server = config_.servers[index];
    const auto wanted = session_->subscriptions(index);
    const bool is_wanted = std::any_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
      return std::string_view(uri).starts_with(one);
    });
    if (!is_wanted || uri.size() > Catalogue::kMaxUriBytes || has_dot_segment(uri) ||
        !is_item_granted(server, Shelf::kResources, uri))
      return false;
    const auto scan = worker_.open_rules(caller_.tenant,
                                         {.agent = caller_.agent_id, .provider = {}, .model = {}});
    if (!scan) return false;
    const ResultLook look =
        look_at_result(*scan, codec::Surface::kToolResult, kSubscribeAction, server_read(uri));
    return !look.objection && look.redactions == 0;
  }

  Client& client_;
  Worker& worker_;
  const McpConfig& config_;
  const Caller& caller_;
  const std::shared_ptr<McpSession> session_;
  const std::shared_ptr<McpSession> kept_;
  const std::string listen_id_;
  const ChangeFilter kinds_;
  std::vector<std::unique_ptr<Line>> lines_;  // by server; null: not listened to
  std::deque<Change> pending_;
  net::asio::steady_timer wake_;
  std::size_t running_ = 0;  // coroutines that refer to this
  bool is_woken_ = false;
  bool is_settling_ = false;
  bool is_stopping_ = false;
  bool is_frozen_ = false;
  bool has_ended_ = false;
  const std::shared_ptr<std::function<void()>> nudge_;
  ServerAsides asides_;
  McpSession::Ear ear_;
  FreezeList::Entry freezable_;  // last: they call into the rest
};

}  // namespace

Task<> stream_changes(Client& client, const Caller& caller, const ShownProofs& proofs,
                      std::shared_ptr<McpSession> session, std::shared_ptr<McpSession> kept,
                      const std::string& listen_id, const ChangeFilter& kinds) {
  Listener listener(client, caller, proofs, std::move(session), std::move(kept), listen_id, kinds);
  co_return co_await listener.run();
}

}  // namespace aispm::gateway
