// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/story.hpp"

#include <cstdio>

#include "sdk/cli/describe.hpp"

namespace aispm::cli {
namespace {

constexpr std::size_t kTimeColumns = 10;
constexpr std::size_t kWordColumns = 10;

class Writer {
 public:
  Writer(const Screen& screen, WallTime start) : screen_(screen), start_(start) {}

  void line(const google::protobuf::Timestamp& time, const std::string& word, Style style,
            const std::string& text) {
    char offset[32];
    std::snprintf(offset, sizeof(offset), "+%.3fs",
                  static_cast<double>(wall_of(time).nanoseconds - start_.nanoseconds) / 1e9);
    put(offset, word, style, text);
  }
  // Belongs to the line before.
  void detail(const std::string& word, Style style, const std::string& text) {
    put("", word, style, text);
  }
  std::string take() { return std::move(out_); }

 private:
  void put(const std::string& when, const std::string& word, Style style, const std::string& text) {
    const std::string time(kTimeColumns > when.size() ? kTimeColumns - when.size() : 0, ' ');
    const std::string gap(kWordColumns > word.size() ? kWordColumns - word.size() : 1, ' ');
    const std::size_t used = kTimeColumns + kWordColumns + 3;
    const std::size_t room = screen_.width > used + 20 ? screen_.width - used : 0;
    out_ += paint(time + when, Style::kDim, screen_.colours) + "  " +
            paint(word, style, screen_.colours) + gap + " " + shorten(safe(text), room) + "\n";
  }

  const Screen& screen_;
  const WallTime start_;
  std::string out_;
};

// The text when policy stored it, else its hash: the reader can still compare two prompts.
std::string text_or_hash(const std::string& text, const std::string& sha256) {
  if (!text.empty()) return "\"" + text + "\"";
  return sha256.empty() ? "(not recorded)" : "(text not stored) sha256 " + sha256;
}

Style severity_style(v1::Severity severity) {
  return severity >= v1::SEVERITY_HIGH ? Style::kBad : Style::kWarn;
}

void write_judgement(Writer& writer, const v1::Event& event) {
  for (const auto& detection : event.detections()) {
    std::string text =
        detection.rule_id() + ", " + word(detection.severity()) + ", in " + detection.surface();
    if (!detection.evidence().empty()) text += ": " + detection.evidence();
    writer.detail("detected", severity_style(detection.severity()), text);
  }
  if (!event.has_decision()) return;
  const auto& decision = event.decision();
  std::string text = word(decision.outcome());
  if (decision.mode() == "monitor") text += " (monitor: recorded, not applied)";
  if (!decision.rule_id().empty()) text += " by " + decision.rule_id();
  if (!decision.reason().empty()) text += ": " + decision.reason();
  const bool allowed = decision.outcome() == v1::Decision::OUTCOME_ALLOW;
  writer.detail("decision", allowed ? Style::kGood : verdict_style(event), text);
}

void write_call(Writer& writer, const v1::Event& event) {
  const auto& call = event.llm_call();
  const std::string model =
      call.request_model().empty() ? call.response_model() : call.request_model();
  const char* const seen = event.source() == v1::SOURCE_SENSOR ? " (seen by the sensor)" : "";
  writer.line(event.time(), "prompt", Style::kBold,
              "to " + call.provider() + " " + model + seen + ": " +
                  text_or_hash(call.prompt_text(), call.prompt_sha256()));
  write_judgement(writer, event);
  if (call.status() == 0) return writer.detail("reply", Style::kBad, "none came");
  std::string text = std::to_string(call.status());
  if (!call.finish_reason().empty()) text += " " + call.finish_reason();
  if (call.input_tokens() + call.output_tokens() > 0)
    text += ", " + std::to_string(call.input_tokens()) + "+" +
            std::to_string(call.output_tokens()) + " tokens";
  if (call.duration_us() > 0) text += ", " + duration_text(call.duration_us());
  for (const std::string& tool : call.tools_called()) text += ", calls tool " + tool;
  if (!call.reply_text().empty() || !call.reply_sha256().empty())
    text += ": " + text_or_hash(call.reply_text(), call.reply_sha256());
  writer.detail("reply", call.status() < 400 ? Style::kGood : Style::kBad, text);
}

struct Heading {
  const char* word;
  Style style;
};

Heading heading_of(const v1::Event& event) {
  switch (event.body_case()) {
    case v1::Event::kProcessExec:
      return {"process", Style::kPlain};
    case v1::Event::kProcessExit:
      return {"exit", Style::kDim};
    case v1::Event::kSocketListen:
      return {"listen", Style::kPlain};
    case v1::Event::kSocketConnect:
      return {"connect", Style::kPlain};
    case v1::Event::kSandboxStart:
      return {"start", Style::kBold};
    case v1::Event::kSandboxExit:
      return {"end", Style::kBold};
    case v1::Event::kSandboxDenial:
      return {"refused", Style::kBad};
    case v1::Event::kAgentReady:
      return {"ready", Style::kGood};
    case v1::Event::kAgentLog:
      return {"log", Style::kPlain};
    case v1::Event::kAiUse:
      return {"ai use", Style::kWarn};
    case v1::Event::kMcpCall:
      return {"tool", Style::kPlain};
    case v1::Event::kMcpTools:
      return {"tools", Style::kPlain};
    case v1::Event::kNameSeen:
      return {"name", Style::kDim};
    case v1::Event::kFileAccess:
      return {"file", Style::kPlain};
    case v1::Event::kTamper:
      return {"tamper", Style::kBad};
    case v1::Event::kEnforcement:
      return {"enforced", Style::kBad};
    case v1::Event::kActionCall:
      return {"action", Style::kPlain};
    case v1::Event::kOperatorAction:
      return {"operator", Style::kPlain};
    default:
      return {"event", Style::kPlain};
  }
}

void write_event(Writer& writer, const v1::Event& event) {
  if (event.has_llm_call()) return write_call(writer, event);
  const Heading heading = heading_of(event);
  std::string text = describe(event);
  const bool names_process = event.has_process() && !event.has_process_exit();
  if (names_process)
    text = event.process().comm() + "[" + std::to_string(event.process().pid()) + "] " + text;
  writer.line(event.time(), heading.word, heading.style, text);
  write_judgement(writer, event);
}

template <typename Texts>
std::string join(const Texts& texts, const char* between) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : between) + text;
  return out;
}

std::string outcome_of(const v1::Session& session) {
  if (session.running()) return "running";
  if (session.signal() != 0) return "ended by signal " + std::to_string(session.signal());
  return "ended with exit code " + std::to_string(session.exit_code());
}

std::string heading(const v1::Session& session, const Screen& screen) {
  const auto field = [&](const char* name, const std::string& value) {
    std::string label(name);
    label.resize(12, ' ');
    return paint(label, Style::kDim, screen.colours) + safe(value) + "\n";
  };
  std::string took;
  if (session.has_end())
    took =
        ", " + duration_text(static_cast<std::uint64_t>(std::max<std::int64_t>(
                   0, (wall_of(session.end()).nanoseconds - wall_of(session.start()).nanoseconds) /
                          1000)));
  std::string out =
      paint("Session " + safe(session.session_id()), Style::kBold, screen.colours) + "\n";
  out += field("agent", session.agent_id());
  out += field("host", session.hostname().empty() ? session.host_id() : session.hostname());
  out += field("command", join(session.command(), " "));
  if (!session.profile().empty()) out += field("profile", session.profile());
  if (!session.workspace().empty()) out += field("workspace", session.workspace());
  out += field("started", time_text(session.start()) + " UTC");
  out += field("state", outcome_of(session) + took);
  // A session without a sandbox has no mechanisms: that must not look like a contained one.
  out += field("contained",
               session.mechanisms_size() == 0 ? "no sandbox" : join(session.mechanisms(), ", "));
  out +=
      field("counts", std::to_string(session.llm_calls()) + " LLM calls, " +
                          std::to_string(session.detections()) + " detections, " +
                          std::to_string(session.denied()) + " denied, " +
                          std::to_string(session.redacted()) + " redacted, " +
                          std::to_string(session.sandbox_denials()) + " refused by the sandbox, " +
                          std::to_string(session.processes()) + " processes");
  return out;
}

}  // namespace

std::string render_story(const v1::SessionStory& story, const Screen& screen) {
  std::string out = heading(story.session(), screen) + "\n";
  if (story.events_size() == 0) return out + "No events of this session are stored.\n";
  Writer writer(screen, wall_of(story.session().has_start() ? story.session().start()
                                                            : story.events(0).time()));
  for (const auto& event : story.events()) write_event(writer, event);
  out += writer.take();
  if (story.truncated())
    out +=
        "... there are more events than one answer holds: `aispm events --session ID` lists them\n";
  return out;
}

}  // namespace aispm::cli
