// SPDX-License-Identifier: Apache-2.0
// What the governor allows, run by real shells. Their PATH holds stand-ins that write their names
// down and wrappers that start others by that PATH; nothing else has a name in these scripts.
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "sdk/core/common/file.hpp"
#include "sdk/core/policy/command_governor.hpp"

namespace aispm::policy {
namespace {

namespace fs = std::filesystem;
using model::Outcome;
using testing::Contains;
using testing::ElementsAre;

class Governed : public testing::Test {
 protected:
  void SetUp() override {
    if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "no /bin/bash on this host";
    std::string name = fs::temp_directory_path() / "aispm-governed-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::create_directories(folder_ / "bin");
    fs::create_directories(folder_ / "work" / "other");
    for (const char* program : {"ls", "cat", "q_evil"})
      stand_in(folder_ / "bin" / program, program);
    stand_in(folder_ / "work" / "other" / "ls", "other/ls");
    for (const char* wrapper : {"env", "timeout", "nice", "nohup", "setsid", "stdbuf", "sh", "bash",
                                "xargs", "find", "time"})
      if (fs::exists(fs::path("/usr/bin") / wrapper))
        fs::create_symlink(fs::path("/usr/bin") / wrapper, folder_ / "bin" / wrapper);
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  // The names that ran, in order.
  std::vector<std::string> run(const std::string& shell, const std::string& script) {
    std::ofstream(folder_ / "log", std::ios::trunc).close();
    std::ofstream(folder_ / "script", std::ios::trunc) << script << "\nwait\n";
    const std::string folder = folder_.string();
    const std::string command = "cd " + folder + "/work && exec /usr/bin/env -i HOME=" + folder +
                                "/work PATH=" + folder + "/bin /usr/bin/timeout 10 " + shell +
                                " ../script >/dev/null 2>&1 </dev/null";
    if (std::system(command.c_str()) == -1) ADD_FAILURE() << "cannot start " << shell;
    std::vector<std::string> ran;
    const auto content = read_file(folder + "/log", 1U << 20);
    if (!content) {
      ADD_FAILURE() << content.error().message;
      return ran;
    }
    std::istringstream lines(*content);
    for (std::string line; std::getline(lines, line);) ran.push_back(line);
    return ran;
  }

 private:
  void stand_in(const fs::path& file, const std::string& name) const {
    std::ofstream(file) << "#!/bin/sh\necho " << name << " >>" << (folder_ / "log").string()
                        << "\necho PATH\n";
    fs::permissions(file, fs::perms::owner_all);
  }

  fs::path folder_;
};

CommandGovernor governor() {
  std::vector<CommandRule> rules;
  for (const char* one : {"ls *", "cat *", "xargs *", "find *", "test *", "[ *", "printf *",
                          "wait *", "read *", "export *"})
    rules.push_back({one, one, Outcome::kAllow, ""});
  auto made = CommandGovernor::compile(rules, Outcome::kDeny);
  if (!made) ADD_FAILURE() << made.error().message;
  return std::move(*made);
}

// Scripts that try to start `q_evil` or `other/ls` behind `ls` and `cat`.
class Disguises {
 public:
  explicit Disguises(unsigned seed) : random_(seed) {}

  std::string script() {
    static const std::array<const char*, 8> kBefore = {"",
                                                       "",
                                                       "X='2 q_evil x'; ",
                                                       "X=q_evil; ",
                                                       "x=1; a='b[$(q_evil)]'; ",
                                                       "X='-v b[$(q_evil)]'; ",
                                                       "X='-p b[$(q_evil)]'; ",
                                                       "X=PATH; "};
    static const std::array<const char*, 4> kJoints = {"; ", " && ", "\n", " | "};
    std::string text = pick(kBefore) + command(2);
    for (std::size_t i = random_() % 2; i > 0; --i) text += pick(kJoints) + command(1);
    return text;
  }

 private:
  template <std::size_t N>
  std::string pick(const std::array<const char*, N>& list) {
    return list[random_() % N];
  }

  std::string command(int depth) {
    if (depth == 0) return simple();
    switch (random_() % 14) {
      case 0: {
        static const std::array<const char*, 6> kNames = {"i", "i", "PATH", "SECONDS", "IFS", "X"};
        static const std::array<const char*, 4> kValues = {"./other", "'b[$(q_evil)]'", "1", "$X"};
        return "for " + pick(kNames) + " in " + pick(kValues) + "; do " + command(depth - 1) +
               "\ndone";
      }
      case 1: {
        static const std::array<const char*, 3> kNames = {"C1", "PATH", "C2"};
        return "coproc " + pick(kNames) + " { " + command(depth - 1) + "\n}";
      }
      case 2: {
        static const std::array<const char*, 6> kTraps = {
            "trap 'S' EXIT", "trap -- 'S' EXIT", "trap - EXIT", "trap $X EXIT", "trap -p", "trap"};
        return filled(pick(kTraps));
      }
      case 3:
      case 4: {
        static const std::array<const char*, 9> kShells = {"sh -c 'S'",
                                                           "bash -c 'S'",
                                                           "bash -c -- 'S'",
                                                           "bash -ec 'S'",
                                                           "bash -c -o posix 'S'",
                                                           "bash -c +e 'S'",
                                                           "sh -c -e 'S'",
                                                           "eval 'S'",
                                                           "eval S"};
        return filled(pick(kShells));
      }
      case 5: {
        static const std::array<const char*, 16> kBuiltins = {
            "test -v ",  "[ -f x ] && ls ", "printf -v ", "wait -n -p ", "wait ",
            "[[ -v ",    "RANDOM=",         "OPTIND=",    "SECONDS=",    "read -r ",
            "export Y=", "printf '%s' ",    "test -n ",   ": ",          "echo ",
            "PATH="};
        const std::string builtin = pick(kBuiltins);
        return builtin + word() + (builtin == "[[ -v " ? " ]]; ls" : "; ls");
      }
      case 6: {
        static const std::array<const char*, 8> kOthers = {"[[ a == a || q_evil ]]; ls",
                                                           "((1)); ls",
                                                           "((a)); ls",
                                                           "ls; !(q_evil)",
                                                           "cat <<$'E'\n$E\nq_evil\nE",
                                                           "ls; f() { ls; }; f",
                                                           "[[ a == a ]] && ls",
                                                           "ls; [[ 1 -eq a ]]"};
        return pick(kOthers);
      }
      default:
        return wrapped();
    }
  }

  // `S` becomes a command without quotes.
  std::string filled(std::string text) {
    std::string inner = wrapped();
    if (inner.find('\'') != std::string::npos) inner = random_() % 2 == 0 ? "ls a" : "q_evil";
    return text.replace(text.find('S') == std::string::npos ? text.size() : text.find('S'), 1,
                        text.find('S') == std::string::npos ? "" : inner);
  }

  std::string wrapped() {
    static const std::array<const char*, 30> kWrappers = {"",
                                                          "",
                                                          "",
                                                          "",
                                                          "",
                                                          "env A=1 ",
                                                          "env B=$X ",
                                                          "env A=1 B=$X ",
                                                          "env -u HOME ",
                                                          "env -i ",
                                                          "timeout 5 ",
                                                          "timeout -- $X ",
                                                          "timeout -s KILL 5 ",
                                                          "nice ",
                                                          "nice -n 5 ",
                                                          "nice -n $X ",
                                                          "nohup ",
                                                          "setsid -w ",
                                                          "stdbuf -o L ",
                                                          "command ",
                                                          "command -p ",
                                                          "exec ",
                                                          "exec -a sh ",
                                                          "time ",
                                                          "\\time -f q_evil -o y ",
                                                          "xargs ",
                                                          "xargs -I {} ",
                                                          "find . -exec ",
                                                          "A=$X ",
                                                          "env \"$X=./other\" "};
    const std::string wrapper = pick(kWrappers);
    return wrapper + simple() + (wrapper == "find . -exec " ? " ';'" : "");
  }

  std::string simple() {
    static const std::array<const char*, 12> kNames = {
        "ls",   "ls",    "ls",     "cat", "cat",        "l\\s",
        "'ls'", "$'ls'", "q_evil", "$X",  "./other/ls", "{ls,q_evil}"};
    static const std::array<const char*, 10> kAfter = {"",
                                                       "",
                                                       "",
                                                       "",
                                                       " >/dev/null",
                                                       " {X}>/dev/null",
                                                       " {PATH}>/dev/null; ls",
                                                       " {a[x]}>/dev/null",
                                                       " <<E\n$(q_evil)\nE\n",
                                                       " <<E\ntext\nE\n"};
    std::string text = pick(kNames);
    for (std::size_t i = random_() % 3; i > 0; --i) text += " " + word();
    return text + pick(kAfter);
  }

  std::string word() {
    static const std::array<const char*, 28> kWords = {"a",
                                                       "-l",
                                                       "x=y",
                                                       "$X",
                                                       "\"$X\"",
                                                       "${x:a}",
                                                       "${x:1}",
                                                       "${x:0:1}",
                                                       "\"${x:a}\"",
                                                       "${x:-q}",
                                                       "${PATH:=./other}",
                                                       "${@:a}",
                                                       "$((1+2))",
                                                       "$((a))",
                                                       "$[a]",
                                                       "'q_evil'",
                                                       "$(ls)",
                                                       "$(q_evil)",
                                                       "$(: # )\nq_evil\n)",
                                                       "$'a\\'\nq_evil\n'",
                                                       "{b,c}",
                                                       "`ls a`",
                                                       "\"$(ls a)\"",
                                                       "${x^^}",
                                                       "'b[$(q_evil)]'",
                                                       "${x/a/b}",
                                                       "$!",
                                                       "$(cat <<E\n)\nE\nq_evil\n)"};
    return pick(kWords);
  }

  std::mt19937 random_;
};

TEST_F(Governed, TheShellsRunTheStandIns) {
  EXPECT_THAT(run("/bin/bash", "ls; q_evil; PATH=./other; ls"),
              ElementsAre("ls", "q_evil", "other/ls"));
  EXPECT_THAT(run("/bin/bash", "timeout 5 sh -c q_evil"), ElementsAre("q_evil"));
  // The disguises are real ones.
  EXPECT_THAT(run("/bin/bash", "x=1; a='b[$(q_evil)]'; ls ${x:a}"), Contains("q_evil"));
  EXPECT_THAT(run("/bin/bash", "X='2 q_evil x'; env A=1 B=$X ls"), Contains("q_evil"));
  EXPECT_THAT(run("/bin/bash", "for SECONDS in 'b[$(q_evil)]'; do ls; done"), Contains("q_evil"));
  EXPECT_THAT(run("/bin/bash", "ls $(: # )\nq_evil\n)"), Contains("q_evil"));
}

TEST_F(Governed, RunNothingThatWasNotAllowed) {
  constexpr unsigned kScripts = 800;
  const CommandGovernor rules = governor();
  int allowed = 0;
  std::size_t ran_in_all = 0;
  for (unsigned seed = 0; seed < kScripts; ++seed) {
    const std::string script = Disguises(seed).script();
    if (rules.judge(script).outcome != Outcome::kAllow) continue;
    ++allowed;
    for (const char* shell : {"/bin/bash", "/bin/sh"})
      for (const std::string& name : run(shell, script)) {
        ++ran_in_all;
        EXPECT_TRUE(name == "ls" || name == "cat")
            << shell << ", seed " << seed << ", ran " << name << ":\n"
            << script;
      }
    if (HasFailure()) return;
  }
  // The comparison must not be empty.
  EXPECT_GT(allowed, 80);
  EXPECT_GT(ran_in_all, 150U);
}

}  // namespace
}  // namespace aispm::policy
