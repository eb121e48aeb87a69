// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/guard_call.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/providers/upstream.hpp"
#include "gateway/proxy/worker.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

constexpr std::size_t kMaxReplyBytes = 64U << 10;

std::string head_of(const Provider& provider, std::string_view path, std::size_t body_bytes) {
  std::string head = "POST ";
  head.append(path).append(" HTTP/1.1\r\n");
  head.append(provider.request_lines());
  head.append("accept: application/json\r\naccept-encoding: identity\r\n")
      .append("user-agent: aispm-gateway\r\ncontent-type: application/json\r\ncontent-length: ")
      .append(std::to_string(body_bytes))
      .append("\r\n\r\n");
  return head;
}

std::string make_nonce() {
  std::string nonce;
  for (const char c : make_uuid())
    if (c != '-') nonce.push_back(c);
  return nonce;
}

Task<GuardAnswer> call(Worker& worker, Voter& voter, std::string text,
                       std::chrono::milliseconds deadline) {
  const VoterConfig& config = voter.config();
  const std::string body = guard_request(config.form, config.model, text, make_nonce());
  const std::string request = head_of(voter.provider(), guard_path(config.form), body.size());
  net::Stream* in_flight = nullptr;
  AISPM_CO_TRY(
      UpstreamReply reply,
      co_await ask_upstream(worker.context(), worker.watchdog(), voter.provider(),
                            worker.voter_pool(), {.head = request, .body = body, .method = "POST"},
                            {.connect = deadline, .silence = deadline}, &in_flight));
  const Head head = reply.head;
  if (head.status != 200)
    co_return fail(Errc::kUnavailable, "answered with status " + std::to_string(head.status));
  Upstream& upstream = *reply.upstream;
  upstream.input.consume(head.size_bytes);
  std::string spill;
  AISPM_CO_TRY(const WholeBody whole,
               co_await read_whole_body(*upstream.stream, upstream.input, head.body,
                                        head.content_length, kMaxReplyBytes, spill));
  std::string content(whole.bytes);
  if (is_chat(config.form)) {
    AISPM_CO_TRY(const codec::LlmReply parsed,
                 codec::parse_reply(codec::Api::kOpenAiChat, whole.bytes));
    content = codec::reply_text(parsed);
  }
  upstream.input.consume(whole.in_place_bytes);
  if (head.keep_alive && head.body != codec::http1::BodyKind::kUntilClose)
    worker.voter_pool().put(std::move(reply.upstream));
  AISPM_CO_TRY(GuardAnswer answer, read_guard_answer(config.form, content));
  answer.is_weak = answer.score < config.block_score;
  co_return answer;
}

}  // namespace

Task<GuardAnswer> ask_guard(Worker& worker, Voter& voter, std::string text,
                            std::chrono::milliseconds deadline) {
  Voter::Counts& counts = voter.counts();
  if (!voter.provider().config().missing_key.empty()) {
    counts.failed.fetch_add(1, std::memory_order_relaxed);
    co_return fail(Errc::kUnavailable, voter.provider().config().missing_key);
  }
  AISPM_CO_CHECK(voter.enter());
  counts.asked.fetch_add(1, std::memory_order_relaxed);
  auto answer =
      co_await net::with_deadline(call(worker, voter, std::move(text), deadline), deadline);
  voter.leave(answer || answer.error().code == Errc::kInvalid);  // nonsense is an answer, too
  if (!answer) {
    const bool late = answer.error().code == Errc::kDeadlineExceeded;
    (late ? counts.late : counts.failed).fetch_add(1, std::memory_order_relaxed);
    voter.provider().note_failure(answer.error().message);
    co_return answer;
  }
  voter.provider().note_success();
  if (answer->unsafe) counts.flagged.fetch_add(1, std::memory_order_relaxed);
  co_return answer;
}

namespace {

// Beyond the deadline of the slowest, for a thread that was not scheduled.
constexpr std::chrono::seconds kGrace{1};

// Those who are asked about one text, and what they said so far. On the worker's thread.
struct Panel {
  explicit Panel(net::asio::io_context& context) : wake(context) {}
  net::asio::steady_timer wake;
  std::vector<GuardSaid> said;
  std::size_t open = 0;
};

// Both ends of a text that is longer than a guard reads.
std::string ends_of(const std::string& text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return to_utf8(text);
  const std::string_view all(text);
  return to_utf8(std::string(all.substr(0, max_bytes / 2)) + "\n" +
                 std::string(all.substr(all.size() - max_bytes / 2)));
}

bool is_asked(const VoterConfig& config, const std::string& text, GuardAbout about) {
  return text.size() >= config.min_bytes && (about == GuardAbout::kText || config.replies);
}

net::asio::awaitable<void> ask_one(std::shared_ptr<Panel> panel, Worker& worker, Voter& voter,
                                   std::string text, std::chrono::milliseconds deadline,
                                   std::size_t seat) {
  Result<GuardAnswer> answer = co_await ask_guard(worker, voter, std::move(text), deadline);
  panel->said[seat].answer = std::move(answer);
  --panel->open;
  panel->wake.cancel();
}

}  // namespace

Task<std::vector<GuardSaid>> ask_guards(Worker& worker, std::string text, GuardAbout about) {
  const auto panel = std::make_shared<Panel>(worker.context());
  std::chrono::milliseconds limit{0};
  std::vector<Voter*> asked;
  for (const std::unique_ptr<Voter>& voter : worker.services().voters) {
    if (!is_asked(voter->config(), text, about)) continue;
    asked.push_back(voter.get());
    panel->said.push_back({voter.get(), fail(Errc::kUnavailable, "gave no answer at all")});
  }
  panel->open = panel->said.size();
  for (std::size_t seat = 0; seat < asked.size(); ++seat) {
    const VoterConfig& config = asked[seat]->config();
    const auto deadline = about == GuardAbout::kReply ? config.reply_deadline : config.deadline;
    limit = std::max(limit, deadline);
    if (about == GuardAbout::kReply && text.size() > config.bytes)
      worker.counters().opinions_partial.add();
    std::string part = about == GuardAbout::kReply ? ends_of(text, config.bytes) : text;
    net::asio::co_spawn(worker.context(),
                        ask_one(panel, worker, *asked[seat], std::move(part), deadline, seat),
                        net::asio::detached);
  }
  const auto until = net::Clock::now() + limit + kGrace;
  while (panel->open > 0 && net::Clock::now() < until) {
    panel->wake.expires_at(until);
    (void)co_await panel->wake.async_wait(net::kNoThrow);
  }
  co_return panel->said;
}

}  // namespace aispm::gateway
