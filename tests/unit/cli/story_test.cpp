// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/story.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aispm::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kStart = 1'795'000'000;

v1::SessionStory finished_session() {
  v1::SessionStory story;
  auto& session = *story.mutable_session();
  session.set_session_id("0190f4a2-7c1e-7abc-8def-0123456789ab");
  session.set_agent_id("alice/agent.py");
  session.set_hostname("host-1");
  session.add_command("python3");
  session.add_command("agent.py");
  session.mutable_start()->set_seconds(kStart);
  session.mutable_end()->set_seconds(kStart + 2);
  session.set_exit_code(3);
  session.set_profile("coding-agent");
  session.set_workspace("/home/alice/project");
  session.add_mechanisms("landlock");
  session.add_mechanisms("seccomp");
  session.set_llm_calls(1);
  return story;
}

v1::Event& add_event(v1::SessionStory& story, int milliseconds) {
  auto& event = *story.add_events();
  event.mutable_time()->set_seconds(kStart);
  event.mutable_time()->set_nanos(milliseconds * 1'000'000);
  return event;
}

v1::LlmCall& add_call(v1::SessionStory& story, int milliseconds) {
  auto& call = *add_event(story, milliseconds).mutable_llm_call();
  call.set_provider("openai");
  call.set_request_model("gpt-4o-mini");
  call.set_prompt_text("What is the capital of France?");
  call.set_status(200);
  call.set_reply_text("Paris.");
  return call;
}

std::string render(const v1::SessionStory& story) { return render_story(story, Screen{}); }

TEST(Story, BeginsWithTheRunAndItsContainment) {
  EXPECT_THAT(
      render(finished_session()),
      AllOf(HasSubstr("agent       alice/agent.py\n"), HasSubstr("host        host-1\n"),
            HasSubstr("command     python3 agent.py\n"), HasSubstr("profile     coding-agent\n"),
            HasSubstr("workspace   /home/alice/project\n"),
            HasSubstr("ended with exit code 3, 2.0 s\n"),
            HasSubstr("contained   landlock, seccomp\n"), HasSubstr("1 LLM calls"),
            HasSubstr("No events of this session are stored.\n")));
}

TEST(Story, ASessionWithoutSandboxIsNotShownAsContained) {
  auto story = finished_session();
  story.mutable_session()->clear_mechanisms();
  EXPECT_THAT(render(story), HasSubstr("contained   no sandbox\n"));
}

TEST(Story, TellsHowARunEnded) {
  auto story = finished_session();
  story.mutable_session()->set_signal(9);
  EXPECT_THAT(render(story), HasSubstr("ended by signal 9"));
  story.mutable_session()->set_running(true);
  EXPECT_THAT(render(story), HasSubstr("state       running"));
}

TEST(Story, ShowsPromptAndReplyAtTheirTime) {
  auto story = finished_session();
  add_call(story, 250);
  EXPECT_THAT(
      render(story),
      AllOf(HasSubstr(
                "+0.250s  prompt     to openai gpt-4o-mini: \"What is the capital of France?\"\n"),
            HasSubstr("reply      200: \"Paris.\"\n")));
}

TEST(Story, ShowsHashesWhereTextIsNotStored) {
  auto story = finished_session();
  auto& call = add_call(story, 1);
  call.clear_prompt_text();
  call.set_prompt_sha256("abcd");
  EXPECT_THAT(render(story), HasSubstr("(text not stored) sha256 abcd"));
  call.clear_prompt_sha256();
  EXPECT_THAT(render(story), HasSubstr("(not recorded)"));
}

TEST(Story, ShowsWhatRulesSawAndWhatPolicySaid) {
  auto story = finished_session();
  add_call(story, 1).set_status(400);
  auto& event = *story.mutable_events(0);
  auto& detection = *event.add_detections();
  detection.set_rule_id("secret.aws_access_key");
  detection.set_severity(v1::SEVERITY_HIGH);
  detection.set_surface("prompt");
  detection.set_evidence("AKIA****2M4T");
  auto& decision = *event.mutable_decision();
  decision.set_outcome(v1::Decision::OUTCOME_DENY);
  decision.set_mode("enforce");
  decision.set_rule_id("secrets");
  decision.set_reason("secrets stay here");
  EXPECT_THAT(render(story),
              AllOf(HasSubstr("secret.aws_access_key, high, in prompt: AKIA****2M4T\n"),
                    HasSubstr("deny by secrets: secrets stay here\n"), Not(HasSubstr("monitor"))));
  decision.set_mode("monitor");
  EXPECT_THAT(render(story), HasSubstr("deny (monitor: recorded, not applied) by secrets"));
}

TEST(Story, SaysThatNoReplyCame) {
  auto story = finished_session();
  add_call(story, 1).set_status(0);
  EXPECT_THAT(render(story), AllOf(HasSubstr("reply      none came\n"), Not(HasSubstr("Paris"))));
}

TEST(Story, SaysThatThereIsMore) {
  auto story = finished_session();
  add_call(story, 1);
  EXPECT_THAT(render(story), Not(HasSubstr("more events")));
  story.set_truncated(true);
  EXPECT_THAT(render(story), HasSubstr("there are more events than one answer holds"));
}

TEST(Story, NothingAnAgentWroteReachesTheTerminalRaw) {
  const std::string attack = "\x1b[2J\x1b]52;c;aGk=\x07\nSession fake\xe2\x80\xae";
  auto story = finished_session();
  auto& session = *story.mutable_session();
  session.set_session_id(attack);
  session.set_agent_id(attack);
  session.set_hostname(attack);
  session.add_command(attack);
  session.add_mechanisms(attack);
  auto& call = add_call(story, 1);
  call.set_provider(attack);
  call.set_request_model(attack);
  call.set_prompt_text(attack);
  call.set_reply_text(attack);
  call.set_finish_reason(attack);
  call.add_tools_called(attack);
  auto& event = *story.mutable_events(0);
  event.add_detections()->set_evidence(attack);
  event.mutable_decision()->set_reason(attack);
  auto& log = *add_event(story, 2).mutable_agent_log();
  log.set_level(attack);
  log.set_message(attack);
  (*log.mutable_fields())[attack] = attack;
  const std::string text = render(story);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\x07'), std::string::npos);
  EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
  EXPECT_EQ(text.find("\nSession fake"), std::string::npos);
  EXPECT_THAT(text, HasSubstr("\\x1b[2J"));
}

TEST(Story, FitsATerminal) {
  auto story = finished_session();
  add_call(story, 1).set_prompt_text(std::string(500, 'p'));
  const std::string text = render_story(story, {false, 80});
  const std::size_t at = text.find("prompt ");
  const std::size_t begin = text.rfind('\n', at) + 1;
  EXPECT_LE(display_width(text.substr(begin, text.find('\n', at) - begin)), 80U);
}

}  // namespace
}  // namespace aispm::cli
