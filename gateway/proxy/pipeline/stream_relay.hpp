// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gateway/proxy/pipeline/scan_reply.hpp"
#include "gateway/proxy/pipeline/stream_notice.hpp"
#include "sdk/core/codec/reply_framer.hpp"
#include "sdk/core/detect/stream.hpp"

namespace aispm::gateway {

class ActionGate;

// Scans a streamed reply as it passes: bytes of the provider's event stream (or lines) in, bytes
// for the client out. Pure logic.
//
// Text leaves when the scanner of its channel releases it; what is held joins the next piece of the
// same channel, or an extra event before the channel ends. Other strings leave at once, each judged
// by itself and with what stood in its place before: what policy denies or redacts across two of
// them ends the stream before it is complete. Tool calls are withheld from their first
// event until their arguments are whole, scanned and allowed by policy. Events pass as the bytes
// received unless something in them was changed; comments, ids and retry fields do not pass. A
// denial ends the stream in the dialect's own form with a notice. What cannot be read or scanned
// ends it likewise. Where an API says again what it has said (Responses), the client gets again
// what it got; a tool call that is said again in other words ends the stream.
class StreamRelay {
 public:
  // Events withheld for tool calls; more fails the stream closed.
  static constexpr std::size_t kMaxHeldBytes = 4U << 20;

  // How much text is read together where a piece is not enough.
  static constexpr std::size_t kWindowBytes = 512;

  // How much of a string outside the text channels is remembered for the one in its place in the
  // next events.
  static constexpr std::size_t kTailBytes = 256;

  struct Options {
    codec::Api api = codec::Api::kOpenAiChat;
    codec::Framing framing = codec::Framing::kSse;
    bool strip_usage = false;    // the client did not ask for the usage chunk that we asked for
    std::string case_id;         // named in notices
    std::string model;           // for notices when the reply named none
    std::int64_t now = 0;        // Unix seconds, for notices
    bool ends_complete = false;  // Responses: the client asks again where a reply is incomplete
    ActionGate* gate = nullptr;  // judges tool calls; null: nobody does
    // Hears of each tool call, with its arguments as the client gets them, before that does.
    std::function<void(std::string_view tool, std::string_view arguments)> on_call = {};
  };

  enum class State : std::uint8_t {
    kRunning,
    kEnded,    // the reply came to its end
    kBlocked,  // policy, or something that could not be scanned, ended it: stop reading the
               // upstream
    kBroken,   // the upstream ended it early: the client was told
    kWaiting,  // tool calls wait for a person: settle() them, then go on feeding
  };

  // `context` must outlive the relay.
  StreamRelay(const ScanContext& context, Options options);
  ~StreamRelay();

  // Takes the next bytes of the body and appends what the client may see.
  State feed(std::string_view bytes, std::string& out);
  // The upstream's body is complete (or, with `why`, failed: then also while tool calls wait, which
  // never leave).
  State finish(std::string& out, std::string_view why = {});
  // A tool call that waited (index into the gate's actions) may pass or not. What came meanwhile
  // follows.
  State settle(std::size_t action, bool passes, std::string& out);
  State state() const { return state_; }
  // The first of those that wait.
  std::optional<std::size_t> waiting() const;
  // The tool call that policy denied, when it ended the stream.
  std::optional<std::size_t> denied_action() const { return denied_action_; }

  const Findings& findings() const { return findings_; }
  const codec::StreamReply& reply() const { return reply_; }
  // Placeholders turned back.
  std::uint64_t restored() const { return restored_; }
  // Why the stream was ended without a policy rule; empty otherwise.
  const std::string& failure() const { return failure_; }
  // The reply's text as the client got it; kept up to codec::kMaxKeptReplyBytes when `keep`.
  const std::string& released_text() const { return released_text_; }

 private:
  struct Lane;      // one channel
  struct Piece;     // one text of the current event
  struct Outgoing;  // one event on its way out
  struct Tail {
    std::string text;  // the last kTailBytes that stood there
    std::string last;  // the last string
  };

  void take(const codec::SseEvent& sse, std::string& out);
  bool read_pieces(const codec::StreamEvent& event, std::vector<Piece>& pieces, Outgoing& outgoing,
                   std::string& out);
  bool take_call(const codec::ToolCall& call, Outgoing& outgoing);
  bool take_repeat(const codec::ReplyText& text, std::vector<Piece>& pieces, Outgoing& outgoing,
                   std::string& out);
  void keep_said(Lane& lane, std::string_view text);
  bool carry_alone(Lane& lane, const codec::StreamEvent& event);
  bool is_gemini() const { return options_.api == codec::Api::kGeminiGenerate; }
  bool is_responses() const { return options_.api == codec::Api::kOpenAiResponses; }
  Lane* find_lane(const codec::Channel& channel);
  void number(Outgoing& outgoing);
  std::string frame(const Outgoing& outgoing, std::string_view data);
  bool pass(Lane& lane, std::string_view text, Piece& piece);
  bool pass_rest(Lane& lane, Piece& piece);
  bool settle(Lane& lane, Piece& piece, bool complete);
  bool gives_away(Lane& lane, std::string_view released);
  void take_over_leaks(Lane& lane);
  bool read_window(Lane& lane, std::string_view released, bool complete);
  bool read_seam(Lane& lane, std::string_view released);
  bool in_time();
  bool close_tool(Lane& lane);
  bool ask_gate(Lane& lane);
  bool check_other(const codec::ReplyText& text, Outgoing& outgoing);
  bool check_piece(const codec::ReplyText& text, std::size_t place, Outgoing& outgoing);
  bool close_lanes(const codec::StreamEvent& event, std::vector<Piece>& pieces, std::string& out);
  bool close_lane(Lane& lane, std::vector<Piece>& pieces, std::string& out);
  bool closes(const codec::StreamEvent& event, const Lane& lane) const;
  bool moves_on(const codec::StreamEvent& event, const Lane& lane) const;
  void open_tools();
  void emit(Outgoing outgoing, std::string& out);
  void tell_calls();
  void release_held(std::string& out);
  void render(Outgoing& outgoing, std::string& out);
  bool record(Lane& lane);
  Lane& lane_for(const codec::Channel& channel);
  void track(const codec::SseEvent& sse, const codec::StreamEvent& event, Outgoing& outgoing);
  void block(std::string& out);
  bool give_up(std::string why);

  const ScanContext& context_;
  Options options_;
  codec::ReplyFramer framer_;
  codec::StreamReply reply_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Outgoing> held_;
  std::size_t held_bytes_ = 0;
  std::size_t known_tools_ = 0;
  std::size_t begun_tools_ = 0;  // the first that this event began, if any
  StreamPosition position_;
  Findings findings_;
  // By channel and place among such strings of an event.
  std::map<std::pair<codec::Channel, std::size_t>, Tail> tails_;
  std::set<std::string> told_;  // rules found in windows and over tails
  std::uint64_t restored_ = 0;
  std::string failure_;
  std::optional<std::size_t> denied_action_;
  bool has_finished_ = false;  // chat: a choice has its finish reason
  bool is_past_end_ = false;   // the reply came to its end while tool calls wait
  std::string released_text_;
  std::size_t said_bytes_ = 0;  // kept of all lanes
  std::uint64_t inserted_ = 0;  // events that the provider did not send
  State state_ = State::kRunning;
};

}  // namespace aispm::gateway
