// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/scan_reply.hpp"

#include <optional>

#include "gateway/proxy/pipeline/seam_judge.hpp"
#include "gateway/proxy/pipeline/text_judge.hpp"

namespace aispm::gateway {

bool is_sealed(codec::Api api, codec::ChannelKind kind) {
  return kind == codec::ChannelKind::kReasoning && api == codec::Api::kAnthropicMessages;
}

bool can_leak(codec::ChannelKind kind) {
  return kind == codec::ChannelKind::kText || kind == codec::ChannelKind::kRefusal;
}

const OutcomeTables::Table& stream_table(const OutcomeTables& tables, codec::Api api,
                                         codec::ChannelKind kind, detect::Surface surface) {
  if (is_sealed(api, kind)) return tables.sealed_stream;
  return tables.stream[static_cast<std::size_t>(surface)];
}

namespace {

std::string_view tool_of(const codec::LlmReply& reply, const codec::Channel& channel) {
  if (channel.kind != codec::ChannelKind::kToolArguments) return {};
  for (const codec::ToolCall& call : reply.tool_calls)
    if (call.channel == channel) return call.name;
  return {};
}

// All texts of a reply that are new here.
Result<bool> screen_reply(const ScanContext& context, const codec::LlmReply& reply,
                          const TextJudge& judge) {
  std::vector<KnownTexts::Place>& places = context.bench->places;
  std::vector<std::string_view>& texts = context.bench->texts;
  places.clear();
  texts.clear();
  detect::SurfaceBits surfaces = 0;
  for (const codec::ReplyText& text : reply.texts) {
    places.emplace_back();
    if (text.text.empty()) continue;
    const detect::Surface surface = surface_of(text.channel.kind, tool_of(reply, text.channel));
    places.back() = judge.find_known(text.text, {.surface = surface});
    if (places.back().is_known) continue;
    texts.push_back(text.text);
    surfaces = static_cast<detect::SurfaceBits>(surfaces | detect::surface_bit(surface));
  }
  if (texts.empty()) return false;
  return context.book->engine->may_match(texts, surfaces, context.bench->scratch);
}

// Clients show the texts of a choice in a row; Responses has one choice, and numbers its items
// there.
bool is_same_choice(codec::Api api, const codec::Channel& one, const codec::Channel& other) {
  return api == codec::Api::kOpenAiResponses || one.choice == other.choice;
}

// The texts of a reply that has several, as the client gets them.
class ReplySeams {
 public:
  ReplySeams(const ScanContext& context, codec::Api api, const codec::LlmReply& reply,
             Findings& findings)
      : context_(context),
        api_(api),
        texts_(reply.texts),
        seams_(context, policy::Direction::kReply, findings) {}

  Result<> add(std::size_t index, std::string_view shown) {
    const codec::ReplyText& text = texts_[index];
    if (!is_read(text)) return {};
    std::size_t next = index + 1;
    while (next < texts_.size() && !is_read(texts_[next])) ++next;
    const bool goes_on =
        next < texts_.size() && is_same_choice(api_, text.channel, texts_[next].channel);
    if (goes_on || is_open_) seams_.add(shown);
    if (is_open_ && !goes_on)
      AISPM_CHECK(seams_.judge(detect::Surface::kReply,
                               context_.tables->of_reply(detect::Surface::kReply)));
    is_open_ = goes_on;
    return {};
  }

 private:
  static bool is_read(const codec::ReplyText& text) {
    return text.channel.kind == codec::ChannelKind::kText && !text.is_key && !text.is_repeat &&
           !text.text.empty();
  }

  const ScanContext& context_;
  codec::Api api_;
  const std::vector<codec::ReplyText>& texts_;
  SeamJudge seams_;
  bool is_open_ = false;  // the text before goes on in the next
};

// What the client reads of a choice gives away by its texts together: blocks of Anthropic's, items
// of Responses.
class ReplyLeaks {
 public:
  ReplyLeaks(const ScanContext& context, codec::Api api, Findings& findings)
      : context_(context), api_(api), findings_(findings) {}

  void read(const codec::ReplyText& text) {
    if (context_.leaks.prompt == nullptr && context_.leaks.tools == nullptr) return;
    if (!can_leak(text.channel.kind) || text.is_repeat) return;
    const bool goes_on = screen_ && channel_.kind == text.channel.kind &&
                         is_same_choice(api_, channel_, text.channel);
    if (!goes_on) screen_.emplace(context_.leaks);
    channel_ = text.channel;
    std::vector<model::Detection> found;
    screen_->feed(text.text, found);
    take_leaks(context_, std::move(found), findings_);
  }

 private:
  const ScanContext& context_;
  codec::Api api_;
  Findings& findings_;
  std::optional<LeakScreen> screen_;
  codec::Channel channel_;
};

}  // namespace

bool take_leaks(const ScanContext& context, std::vector<model::Detection> found,
                Findings& findings) {
  bool denied = false;
  for (model::Detection& detection : found) {
    policy::Verdict verdict = verdict_on(context, policy::Direction::kReply, detection);
    if (verdict.applied == model::Outcome::kRedact)  // it stands in no one place
      verdict.decided = verdict.applied = model::Outcome::kDeny;
    denied = denied || verdict.applied == model::Outcome::kDeny;
    strengthen(findings.verdict, verdict);
    findings.add(std::move(detection));
  }
  return !denied;
}

Result<bool> scan_tool_name(const ScanContext& context, std::string_view name, Findings& findings) {
  if (name.empty()) return false;
  // Names are cut there when they are read: nobody has seen the rest.
  if (name.size() >= codec::kMaxNameBytes)
    return fail(Errc::kTooLarge, "the name of a tool is too long");
  constexpr detect::Surface kSurface = detect::Surface::kToolArguments;
  TextJudge judge(context, policy::Direction::kReply, findings);
  AISPM_TRY(const TextJudge::Judged judged,
            judge.judge(name, {.surface = kSurface,
                               .outcomes = &context.tables->of_reply(kSurface),
                               .classify = false,
                               .editable = false}));
  return judged.denied;
}

Result<ReplyScan> scan_reply(const ScanContext& context, codec::Api api,
                             const codec::LlmReply& reply) {
  ReplyScan result;
  Findings& findings = result.findings;
  TextJudge judge(context, policy::Direction::kReply, findings);
  AISPM_TRY(const bool may_match, screen_reply(context, reply, judge));
  const std::vector<KnownTexts::Place>& places = context.bench->places;
  std::string clean;
  ReplySeams seams(context, api, reply, findings);
  ReplyLeaks leaks(context, api, findings);
  for (std::size_t i = 0; i < reply.texts.size(); ++i) {
    const codec::ReplyText& text = reply.texts[i];
    if (text.text.empty()) continue;
    const bool is_tool = text.channel.kind == codec::ChannelKind::kToolArguments;
    const detect::Surface surface = surface_of(text.channel.kind, tool_of(reply, text.channel));
    const detect::Outcomes& outcomes = context.tables->of_reply(surface);
    const bool editable = !text.is_key && !is_sealed(api, text.channel.kind);
    AISPM_TRY(const TextJudge::Judged judged, judge.judge(text.text, {.surface = surface,
                                                                      .outcomes = &outcomes,
                                                                      .rules = may_match,
                                                                      .editable = editable,
                                                                      .place = places[i]}));
    std::string_view shown = text.text;
    if (judged.redacts && !judged.denied) {
      clean.clear();
      findings.redactions += judge.cut_out(text.text, clean);
      result.patches.push_back(codec::string_patch(text.span, clean));
      shown = clean;
    }
    AISPM_CHECK(seams.add(i, shown));
    leaks.read(text);
    if (is_tool)
      AISPM_CHECK(scan_unescaped(context, text.text, surface, outcomes, findings,
                                 policy::Direction::kReply));
  }
  for (const codec::ToolCall& call : reply.tool_calls)
    AISPM_CHECK(scan_tool_name(context, call.name, findings));
  if (!result.patches.empty())
    for (const codec::JsonSpan& span : reply.logprobs)
      result.patches.push_back({span, "null"});  // they repeat the text
  return result;
}

}  // namespace aispm::gateway
