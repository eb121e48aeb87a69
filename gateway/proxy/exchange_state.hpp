// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/proxy/client.hpp"
#include "gateway/proxy/decide/action_gate.hpp"
#include "gateway/proxy/decide/settlement.hpp"
#include "gateway/proxy/decide/watched_detection.hpp"
#include "gateway/proxy/limits/budget_ledger.hpp"
#include "gateway/proxy/observe/work_watch.hpp"
#include "gateway/proxy/pipeline/scan_reply.hpp"
#include "gateway/proxy/pipeline/stream_relay.hpp"
#include "gateway/proxy/providers/service_call.hpp"
#include "gateway/proxy/route.hpp"

namespace aispm::gateway {

class Opinions;
namespace translate {
class Translation;
}
struct RoutePlan;

using Step = std::optional<Refusal>;  // what to tell the client; nothing: go on

// What is known of one exchange, and the parts of its steps that wait for nothing. exchange.cpp is
// its only user; the waiting steps write its members in the order in which they stand here.
struct ExchangeState {
  ExchangeState(Client& client, const codec::http1::Head& head, const Route& route);
  ~ExchangeState();

  // --- what came in
  Client& client;
  Worker& worker;
  Services& services;
  Counters& counters;
  Route route;  // its views are into `target`, but for a path that is not the client's own
  std::string target;
  codec::Api api;
  net::Clock::time_point started = net::Clock::now();
  WallTime started_wall = wall_now();
  WorkWatch work;           // runs for one in WorkWatch::kEvery
  bool keep_alive = false;  // as the client asked
  bool chunked_replies =
      false;  // HTTP/1.1: streams are chunked; else the connection's end ends them
  Caller caller;
  std::string event_id;
  std::string trace_id;
  std::string parent_span_id;
  std::string span_id;
  std::string forwarded_headers;
  std::string host;  // as the client named it
  std::string_view body;
  std::string mended_body;  // what `body` points into where the client cut texts within a character
  bool body_read = false;

  // --- what it means and what is decided
  codec::LlmRequest request;
  ProviderShelf::Set providers;               // in force when it was asked, and kept to the end
  Provider* provider = nullptr;               // one of them
  std::unique_ptr<ServiceCall> service_call;  // null: the provider serves its dialect as it is
  std::shared_ptr<RoutePlan> plan;            // null: no route, no cache
  std::string sent_model;  // in place of the one that was asked for; "" = as asked
  std::shared_ptr<SessionPlaceholders> placeholders;  // null: labels
  ScanContext context;
  std::vector<model::Detection> detections;
  policy::Verdict verdict;
  std::optional<FreezeList::Entry> freezable;         // hears of freezes from here to the end
  std::unique_ptr<FreezeList::Entry> sent_freezable;  // of the model in its place
  std::unique_ptr<model::Decision> frozen;            // an operator stopped this caller
  bool is_stopped = false;                  // by them or by slower judges: nothing goes out
  std::optional<model::Decision> decision;  // a denial, or something a verdict cannot say
  std::vector<codec::JsonPatch> patches;    // redactions of the request
  std::vector<FirstLook> looks;             // what tier 1 made of its texts, for slower judges
  std::string patched_body;
  // The provider speaks another protocol than the client; null: the same.
  std::unique_ptr<translate::Translation> translation;
  std::string translated_request;
  std::string translated_reply;  // one that came whole
  bool redacted = false;
  bool strip_usage = false;
  bool names_anew = false;  // Azure: the path names the model, and the body another one or none
  std::shared_ptr<Opinions> opinions;  // of slower judges; null: nobody is asked
  bool heard = false;                  // and taken
  std::unique_ptr<ActionGate> gate;    // null: no policy bundle is in force
  Settled last_settled;                // the last action that was recorded
  Settlement* settling = nullptr;      // somebody is being asked just now
  ShownProofs proofs;                  // what the caller showed: a ticket, a fresh sign-in
  bool wants_notices = false;          // streams tell the client that somebody is being asked
  bool repeats_incomplete = false;     // the client asks again where a reply ends incomplete

  // --- upstream and reply
  std::string request_head;
  net::Stream* in_flight = nullptr;
  int status = 0;
  bool reply_streams = false;
  std::optional<codec::Framing> framing;  // of a reply that streams
  std::string reply_headers;
  std::string reply_head;
  std::string reply_spill;
  std::string reply_patched;
  bool reply_flagged = false;  // detection found something in the reply
  bool sent = false;    // a reply's first byte went to the client: no refusal possible any more
  bool broken = false;  // the connection cannot carry another request
  bool client_gone = false;           // its connection was closed before it had its answer
  net::Clock::time_point asked_at{};  // the provider
  net::Clock::time_point first_byte{};
  int upstream_status = 0;            // of the provider's reply; 0: none
  std::optional<codec::Usage> usage;  // as the provider says
  std::uint64_t reply_text_bytes = 0;
  bool reply_cut = false;  // a stream that did not come to its end
  Reservation reservation;
  // Of attempts that were given up before a reply began: who was asked may be paid for them.
  struct GivenUp {
    std::uint64_t input_tokens = 0;
    std::uint64_t nano_usd = 0;
    bool has_latest = false;  // the latest attempt is one of them
  };
  GivenUp given_up;
  std::uint64_t response_bytes = 0;
  std::vector<WatchedDetection> watched;  // once `has_watched`
  bool has_watched = false;

  // What is recorded of it; made when there is something to say.
  model::LlmCall& call();

  void take_trace(std::string_view traceparent);
  // Rates, sizes, approved models and budgets: limits/exchange_limits.cpp.
  Step take_rate();
  Step check_prompt_bytes();
  Result<> check_model_list();
  net::asio::awaitable<Step> check_model();
  // The provider in place was asked and did not begin to answer in time: its input is estimated.
  void note_given_up();
  // What it may use at most of the provider and model in place, and what that costs there.
  Step price_use(Spent& most);
  Step reserve_use();
  // For another provider or model than it was reserved for: what they cost may differ. Where that
  // is refused, what was reserved stays.
  Step reserve_anew();
  // What it used and cost, into its event and off its budgets.
  void settle_use();
  // Takes the set in force and picks from it; `provider` stays null when none serves the model.
  void choose_provider();
  // What the path says of a request whose body does not: model, and whether it streams.
  Step take_path();
  Step open_rules();
  void take_findings(Findings findings);
  // Something could not be scanned: a denial, unless policy lets such exchanges pass (`fail:
  // open`).
  Step unscannable(std::string_view what, const std::string& why);
  // A judge that must speak did not: likewise.
  Step unheard(std::string_view what, const std::string& why);
  // Counts what took too long; like unscannable() when something was not looked through for want of
  // time.
  Step check_time(std::string_view what, const Findings& findings);
  // A denial whatever policy says: what should be sent does not exist.
  Refusal cannot_scan(std::string_view what, const std::string& why);
  Refusal deny(model::Decision denial);
  // What replies are held against: after the request was scanned.
  void open_leaks();
  // What of the request nobody here can look through, whatever its texts say.
  Step check_readable();
  // From now on a freeze that fits ends this exchange. A refusal when one is there already.
  Step watch_freezes();
  // The refusal, once it was frozen.
  Step frozen_refusal();
  std::optional<model::Decision> find_sticky();
  Refusal upstream_refusal(const Error& error);
  Result<> patch_body();
  // Where another provider is to serve this model, makes it `provider` and says how. A refusal when
  // the request cannot be said in its protocol.
  Step find_translation();
  // The request as it is to be sent, in the provider's protocol.
  Step translate_request();
  // What the provider calls the model, where that is another name.
  void name_model();
  // Has the body name this model.
  void put_model(std::string_view name);
  void append_translated_headers(const codec::http1::Head& head);
  // `reply` came whole: becomes what the client's protocol says for it.
  Step translate_reply(std::string_view& reply);
  std::string_view model_sent() const {
    return sent_model.empty() ? std::string_view(request.model) : std::string_view(sent_model);
  }
  // As the client said it, without what was cut out.
  std::string_view redacted_body() const {
    return patched_body.empty() ? body : std::string_view(patched_body);
  }
  std::string_view outgoing_body() const {
    return translation ? std::string_view(translated_request) : redacted_body();
  }
  // What slower judges said so far denies the request, and is to be applied.
  bool opinions_deny() const;
  // Takes what they said into the record. With `apply` it also counts: a refusal where policy
  // denies or, where one did not speak, fails closed.
  Step take_opinions(bool apply);
  // Guard models judge replies here, and policy waits for them: nothing leaves before they spoke.
  bool guards_reply() const;
  // Asks them about the text of a reply that came to its end; a refusal where policy denies, or
  // where one did not speak and policy fails closed.
  net::asio::awaitable<Step> hear_reply_guards(std::string text);
  // Judges the prompt by the policy bundles and makes the gate; nothing when there are none. The
  // action that must be settled before the request may go on stands in gate->actions().
  Step judge_prompt();
  // What the bundle says of the reply before it begins; from then on its words about data in it
  // count as the rules' own.
  Step open_reply();
  // Judges the tool calls of a reply that came whole, as it is to be sent; may change it.
  Step judge_actions(std::string_view reply);
  Step check_cut(std::string_view reply, const std::vector<codec::Channel>& changed);
  // While somebody is asked: told at the beginning and with every pulse; false: nobody waits for it
  // any more.
  using OnPulse = std::function<net::asio::awaitable<bool>(const Settled&)>;
  // Asks whoever an action needs, to the end; what came of it stands in `last_settled`.
  net::asio::awaitable<void> settle(JudgedAction& action, const OnPulse& on_pulse);
  // Settles all that wait, one after another; a refusal when one may not go on.
  net::asio::awaitable<Step> settle_actions();
  // What detect.yaml of policies that are only watched says of a reply: after the client has it.
  void watch_reply(std::string_view reply);
  void watch_stream(const codec::StreamReply& reply);
  Refusal deny_action(const JudgedAction& action, const Settled& settled);
  // One event for what became of it.
  void record_action(JudgedAction& action, const Settled& settled);
  // What the provider needs for this request beyond the dialect; a refusal when it has no such API.
  // Before patch_body() and write_request_head().
  Step address_provider();
  void write_request_head();
  void note_reply_head(const codec::http1::Head& head);
  // The provider has begun to answer: a refusal when that is nothing that could be passed on.
  Step begin_reply(const codec::http1::Head& head);
  // A whole reply in the dialect's own words; dies with the next attempt.
  std::string_view adapted_reply(std::string_view reply);
  // Scans a reply that came whole; what is to be sent instead stands in `reply_patched`.
  Step judge_whole(std::string_view reply);
  void write_reply_head(std::size_t body_bytes);
  void write_stream_head();
  StreamRelay::Options relay_options();
  AskedBy asked_by() const;
  // The reply has begun: nothing is sent to a provider again. Gives back the memory of the request
  // but for what is still asked of it; where replies are held against it, all stays.
  void let_go_of_request();
  net::Task<> send_stream(Client& to, std::string_view bytes);
  // As Client::send_piece_now().
  Result<> send_stream_now(Client& to, std::string_view bytes, std::string& rest);
  net::Task<> end_stream(Client& to);
  void finish_stream(const StreamRelay& relay, StreamRelay::State state);
  void note_refusal(const Refusal& refusal);
  void client_left();
  bool may_keep_alive() const;
  // Offers the event of this exchange. Last step: the client has its answer.
  void record();

 private:
  void hear_freeze(const policy::Freeze& freeze);
  std::vector<WatchedDetection>& watched_detections();
  void record_watched();
  std::function<void(const policy::Freeze*)> freeze_ear();
  void find_freeze_on(const FreezeKey& key);
  // What is recorded of the request's texts.
  void fill_prompt(model::LlmCall& call) const;
  std::uint64_t estimated_input() const;
  std::string request_key() const;
  Refusal refuse_use(RefusalKind kind, model::Outcome outcome, std::string rule,
                     std::string reason);
  Refusal refuse_budget(const BudgetVerdict& said, const Spent& most);
  void note_budget(const BudgetState& state, bool is_exceeded);
  Step refuse_unseen(std::string rule, std::string reason);
  Step judge_raw(std::string_view reply);
  Result<> adapt_body();
  void write_service_lines();
  void adapt_reply_head(const codec::http1::Head& head);
  Result<> restore_placeholders(std::string_view reply);
  void fill_request(model::LlmCall& call) const;
  void close_reply(const Findings& findings);

  // What is left of a request that was let go of.
  struct Remainder {
    std::string key;
    std::string prompt_sha256;
    std::string prompt_text;
    std::uint64_t bytes = 0;
    std::uint64_t estimated_input = 0;
  };
  std::unique_ptr<Remainder> remainder_;  // null: all of it is there
  std::unique_ptr<model::LlmCall> call_;
};

}  // namespace aispm::gateway
