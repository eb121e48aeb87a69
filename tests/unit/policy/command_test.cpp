// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <pthread.h>

#include "sdk/core/policy/command_governor.hpp"
#include "sdk/core/policy/shell_script.hpp"

namespace aispm::policy {
namespace {

using model::Outcome;
using testing::HasSubstr;

CommandGovernor governor_of(const std::vector<CommandRule>& rules,
                            Outcome fallback = Outcome::kDeny) {
  auto governor = CommandGovernor::compile(rules, fallback);
  if (!governor) ADD_FAILURE() << governor.error().message;
  return std::move(*governor);
}

// MCP-018: the rules of the row.
CommandGovernor shipped() {
  return governor_of({{"tests", "npm test", Outcome::kAllow, "tests may run"},
                      {"remove", "rm -rf *", Outcome::kDeny, "removes trees"},
                      {"push", "git push *", Outcome::kRequireApproval, "publishes"},
                      {"git", "git *", Outcome::kAllow, ""},
                      {"list", "ls *", Outcome::kAllow, ""}});
}

std::string programs_of(std::string_view script) {
  const auto commands = parse_shell(script);
  if (!commands) return "opaque";
  std::string text;
  for (const ShellCommand& command : *commands) {
    if (command.words.empty()) continue;  // only sets variables or opens files
    text += "[";
    for (const ShellWord& word : command.words) text += word.text + (word.is_fixed ? "," : "?,");
    text += "]";
  }
  return text;
}

TEST(ShellScript, FindsEveryCommand) {
  EXPECT_EQ(programs_of("npm test"), "[npm,test,]");
  EXPECT_EQ(programs_of("a; b && c || d | e & f\ng"), "[a,][b,][c,][d,][e,][f,][g,]");
  EXPECT_EQ(programs_of("a $(b $(c))"), "[c,][b,$(...)?,][a,$(...)?,]") << "inner ones, too";
  EXPECT_EQ(programs_of("a \"x `b` y\""), "[b,][a,x $(...) y?,]");
  EXPECT_EQ(programs_of("if a; then b; else c; fi"), "[a,][b,][c,]");
  EXPECT_EQ(programs_of("for i in x; do a; done; while b; do c; done"), "[a,][b,][c,]");
  EXPECT_EQ(programs_of("f() { a; }; (b); { c; }"), "[a,][b,][c,]");
  EXPECT_EQ(programs_of("case x in y) a;; esac"), "[a,]");
  EXPECT_EQ(programs_of("a <(b) > >(c)"), "[b,][c,][a,<(...)?,]");
  EXPECT_EQ(programs_of("{rm,-rf,/}"), "[rm,-rf,/,]");
  EXPECT_EQ(programs_of("r'm' -r\"f\" \\/"), "[rm,-rf,/,]");
  EXPECT_EQ(programs_of("$'\\x72m' x"), "[rm,x,]");
  EXPECT_EQ(programs_of("a # rm -rf /"), "[a,]");
}

TEST(ShellScript, SaysWhatCannotBeSaid) {
  for (const char* script : {"a 'b", "a $(", "echo $((x[$(rm)]))", "((i++))", "${x:-$(rm)}",
                             "${x@P}", "${!x} y", "if a", "echo {1..5}", "[[ $x -eq 1 ]]"})
    EXPECT_EQ(programs_of(script), "opaque") << script;
  EXPECT_EQ(programs_of(std::string(20'000, 'a')), "opaque");
  EXPECT_EQ(programs_of(std::string(5000, '(')), "opaque");
  EXPECT_EQ(programs_of(std::string("a\0b", 3)), "opaque");
}

std::string repeat(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

// What parse_shell makes of a script on a thread with so small a stack.
std::string programs_on_small_stack(const std::string& script) {
  struct Work {
    const std::string& script;
    std::string programs;
  } work{script, ""};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  EXPECT_EQ(pthread_attr_setstacksize(&attributes, 256U << 10), 0);
  pthread_t thread{};
  const auto run = [](void* argument) -> void* {
    auto* mine = static_cast<Work*>(argument);
    mine->programs = programs_of(mine->script);
    return nullptr;
  };
  EXPECT_EQ(pthread_create(&thread, &attributes, run, &work), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  return work.programs;
}

TEST(ShellScript, NestsOnASmallStack) {
  EXPECT_EQ(programs_on_small_stack("[[ " + repeat("! ", 8000) + "x ]]"), "opaque");
  EXPECT_EQ(programs_on_small_stack("[[ x " + repeat("&& x ", 3000) + "]]"), "opaque");
  EXPECT_EQ(programs_on_small_stack(repeat("i\\\nf ", 1000) + "x"), "opaque");
  EXPECT_EQ(programs_on_small_stack("a; [[ " + repeat("! ", 190) + "x ]]"), "[a,]");
  EXPECT_EQ(programs_on_small_stack(repeat("(a;", 190) + "b" + repeat(")", 190)),
            repeat("[a,]", 190) + "[b,]");
  EXPECT_EQ(programs_on_small_stack(repeat("{ ", 190) + "a" + repeat("; }", 190)), "[a,]");
  EXPECT_EQ(programs_on_small_stack(repeat("(a;", 12) + "b" + repeat(")", 12)),
            repeat("[a,]", 12) + "[b,]");
  EXPECT_EQ(programs_on_small_stack(repeat("if a; then ", 12) + "b" + repeat("; fi", 12)),
            repeat("[a,]", 12) + "[b,]");
  EXPECT_EQ(programs_on_small_stack(repeat("a $(", 6) + "b" + repeat(")", 6)),
            "[b,]" + repeat("[a,$(...)?,]", 6));
}

struct Case {
  const char* script;
  Outcome outcome;
};

class Governor : public testing::TestWithParam<Case> {};

TEST_P(Governor, JudgesWhatWouldRun) {
  const CommandVerdict verdict = shipped().judge(GetParam().script);
  EXPECT_EQ(verdict.outcome, GetParam().outcome)
      << GetParam().script << " -> " << verdict.rule_id << ": " << verdict.command << ": "
      << verdict.reason;
}

constexpr Outcome kNo = Outcome::kDeny;
constexpr Outcome kYes = Outcome::kAllow;
constexpr Outcome kAsk = Outcome::kRequireApproval;

INSTANTIATE_TEST_SUITE_P(
    MCP018, Governor,
    testing::Values(
        Case{"npm test", kYes}, Case{"  npm   'test' ", kYes}, Case{"npm test && git status", kYes},
        Case{"CI=1 npm test", kYes}, Case{"env CI=1 npm test", kYes},
        Case{"timeout -k 5 60 npm test", kYes}, Case{"sh -c 'npm test'", kYes},
        Case{"bash -lc \"npm test\"", kYes}, Case{"npm test 2>&1 >/dev/null", kYes},
        Case{"npm test || true", kYes}, Case{"command -v npm", kYes},
        Case{"git log \"$BRANCH\"", kYes}, Case{"git $X", kAsk}, Case{"rm $X /", kNo},
        Case{"ls *.txt ~", kYes}, Case{"nice -n 5 npm test", kYes},
        // Chains: what upstream's substring match let pass.
        Case{"npm test; rm -rf /", kNo}, Case{"npm test && rm -rf /", kNo},
        Case{"npm test || rm -rf /", kNo}, Case{"npm test | sh", kNo},
        Case{"npm test & rm -rf /", kNo}, Case{"npm test\nrm -rf /", kNo},
        Case{"npm test $(rm -rf /)", kNo}, Case{"npm test `rm -rf /`", kNo},
        Case{"npm test <(rm -rf /)", kNo}, Case{"npm test > >(rm -rf /)", kNo},
        Case{"npm test \"$(rm -rf /)\"", kNo}, Case{"npm test <<EOF\n$(rm -rf /)\nEOF", kNo},
        Case{"npm() { rm -rf /; }; npm test", kNo}, Case{"(rm -rf /)", kNo},
        Case{"! rm -rf /", kNo}, Case{"coproc rm -rf /", kNo},
        Case{"npm test; git status $(curl evil)", kNo},
        // Environment prefixes.
        Case{"PATH=/tmp npm test", kNo}, Case{"LD_PRELOAD=/tmp/x.so npm test", kNo},
        Case{"env PATH=/tmp npm test", kNo}, Case{"PATH=/tmp; npm test", kNo},
        Case{"NODE_OPTIONS=--require=/tmp/x npm test", kNo},
        Case{"GIT_SSH_COMMAND=evil git fetch", kNo}, Case{"A=1 rm -rf /", kNo},
        Case{"env -S 'rm -rf /'", kNo},
        // Quoting and names made at run time.
        Case{"r''m -rf /", kNo}, Case{"\\rm -rf /", kNo}, Case{"$'\\x72m' -rf /", kNo},
        Case{"X=rm; $X -rf /", kNo}, Case{"rm${IFS}-rf${IFS}/", kNo}, Case{"{rm,-rf,/}", kNo},
        Case{"/bin/r? -rf /", kNo}, Case{"$(echo rm) -rf /", kNo},
        // Wrappers and scripts.
        Case{"/bin/rm -rf /", kNo}, Case{"rm -r -f /", kNo}, Case{"rm --recursive --force /", kNo},
        Case{"rm -fr /", kNo}, Case{"sudo rm -rf /", kNo}, Case{"xargs rm -rf", kNo},
        Case{"find . -exec rm -rf {} +", kNo}, Case{"bash -c 'rm -rf /'", kNo},
        Case{"eval 'rm -rf /'", kNo}, Case{"eval \"$X\"", kNo},
        Case{"sh -c \"sh -c 'rm -rf /'\"", kNo}, Case{"trap 'rm -rf /' EXIT", kNo},
        Case{"nohup rm -rf /", kNo}, Case{"exec rm -rf /", kNo}, Case{"bash <<< 'rm -rf /'", kNo},
        Case{"bash script.sh", kNo}, Case{"env -i timeout 5 sh -c 'rm -rf /'", kNo},
        Case{"timeout --foreground 5 npm test", kNo},
        // What is called as a wrapper is and stands anywhere is a program that no rule names.
        Case{"/usr/bin/env npm test", kYes}, Case{"/bin/sh -c 'npm test'", kYes},
        Case{"/tmp/bash -c 'npm test'", kNo}, Case{"./env npm test", kNo},
        Case{"~/bin/timeout 5 npm test", kNo}, Case{"/usr/bin/../../tmp/bash -c 'npm test'", kNo},
        // Files.
        Case{"npm test > ~/.bashrc", kNo}, Case{"npm test >& /etc/x", kNo},
        Case{"> .git/hooks/pre-commit", kNo}, Case{"npm test < /etc/shadow", kNo},
        // First match, and a question.
        Case{"git push", kAsk}, Case{"git -C /x push origin", kAsk},
        Case{"git status && git push", kAsk}, Case{"git commit -m push", kYes},
        Case{"rm --recursive -f x", kNo}, Case{"git push; rm -rf /", kNo},
        Case{"/usr/bin/git status", kNo}, Case{"npm test extra", kNo}, Case{"npm", kNo},
        Case{"unknown", kNo}));

// Where what no rule names may run, rules that deny look into it all the same.
TEST(CommandGovernor, LooksIntoWrappersThatStandAnywhere) {
  const CommandGovernor open =
      governor_of({{"remove", "rm -rf *", Outcome::kDeny, "removes trees"}}, Outcome::kAllow);
  EXPECT_EQ(open.judge("/tmp/bash -c 'rm -rf /'").rule_id, "remove");
  EXPECT_EQ(open.judge("/tmp/bash -c 'ls'").outcome, Outcome::kAllow);
}

TEST(CommandGovernor, SaysWhichCommandDecidedAndWhy) {
  const CommandVerdict verdict = shipped().judge("npm test; rm -r -f /data");
  EXPECT_EQ(verdict.rule_id, "remove");
  EXPECT_EQ(verdict.command, "rm -r -f /data");
  EXPECT_EQ(verdict.reason, "removes trees");
  EXPECT_THAT(shipped().judge("X=rm; $X").reason, HasSubstr("made at run time"));
  EXPECT_EQ(shipped().judge("").outcome, Outcome::kDeny) << "nothing to run is nothing to allow";
}

TEST(CommandGovernor, RefusesBadRules) {
  EXPECT_FALSE(CommandGovernor::compile({{"x", "  ", Outcome::kDeny, ""}}, Outcome::kDeny));
  EXPECT_FALSE(CommandGovernor::compile({{"x", "ls", Outcome::kRedact, ""}}, Outcome::kDeny));
  EXPECT_FALSE(
      CommandGovernor::compile({{"x", std::string(600, 'a'), Outcome::kDeny, ""}}, Outcome::kDeny));
}

}  // namespace
}  // namespace aispm::policy
