// SPDX-License-Identifier: Apache-2.0
// What the shell grammar says would run, held against what a real bash runs. Every command is a
// name that no host has; bash hands it to command_not_found_handle, which writes its arguments
// down. Nothing is ever started.
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "sdk/core/common/file.hpp"
#include "sdk/core/policy/shell_script.hpp"

namespace aispm::policy {
namespace {

using Arguments = std::vector<std::string>;

constexpr char kField = '\x1f';
constexpr char kRecord = '\x1e';

class Bash : public testing::Test {
 protected:
  void SetUp() override {
    if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "no /bin/bash on this host";
    std::string name = std::filesystem::temp_directory_path() / "aispm-bash-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  std::vector<Arguments> run(const std::string& script) {
    // Its own log: what an earlier script left running writes to another.
    const std::string log = folder_ + "/log" + std::to_string(++runs_);
    const std::string file = folder_ + "/script";
    std::ofstream(log, std::ios::trunc).close();
    std::ofstream(file, std::ios::trunc) << "command_not_found_handle() { local all; printf -v all "
                                            "'%s\\x1f' \"$@\"; printf '%s\\x1e' \"$all\" >&9; }\n"
                                         << script << "\nwait\n";
    const std::string command =
        "cd " + folder_ +
        " && PATH=/nonexistent /usr/bin/timeout 10 /bin/bash --norc -r ./script 9>>" + log +
        " >/dev/null 2>&1 </dev/null";
    if (std::system(command.c_str()) == -1) ADD_FAILURE() << "cannot start bash";
    std::vector<Arguments> ran;
    const auto content = read_file(log, 1U << 20);
    if (!content) return ran;
    Arguments words;
    std::string word;
    for (const char c : *content) {
      if (c == kField) {
        words.push_back(std::exchange(word, ""));
      } else if (c == kRecord) {
        ran.push_back(std::exchange(words, {}));
      } else {
        word.push_back(c);
      }
    }
    return ran;
  }

 private:
  std::string folder_;
  int runs_ = 0;
};

// A word made at run time may be any number of words.
bool covers(const std::vector<ShellWord>& said, std::size_t at, const Arguments& ran,
            std::size_t from) {
  if (at == said.size()) return from == ran.size();
  if (said[at].is_fixed)
    return from < ran.size() && said[at].text == ran[from] && covers(said, at + 1, ran, from + 1);
  for (std::size_t next = from; next <= ran.size(); ++next)
    if (covers(said, at + 1, ran, next)) return true;
  return false;
}

bool is_said(const std::vector<ShellCommand>& commands, const Arguments& ran) {
  return std::any_of(commands.begin(), commands.end(),
                     [&](const ShellCommand& command) { return covers(command.words, 0, ran, 0); });
}

std::string show(const Arguments& words) {
  std::string text;
  for (const std::string& word : words) text += "<" + word + ">";
  return text;
}

// Scripts of every construct, nested at random.
class Scripts {
 public:
  explicit Scripts(unsigned seed) : random_(seed) {}

  std::string list(int depth) {
    static const std::array<const char*, 6> kJoints = {"; ", " && ", " || ", "\n", " | ", " & "};
    std::string text = command(depth);
    for (int i = pick(3); i > 0; --i) text += kJoints[pick(kJoints.size())] + command(depth);
    return text;
  }

 private:
  int pick(std::size_t count) { return static_cast<int>(random_() % count); }

  std::string command(int depth) {
    if (depth <= 0) return simple(depth);
    const std::string inner = list(depth - 1);
    switch (pick(14)) {
      case 0:
        return "( " + inner + " )";
      case 1:
        return "{ " + inner + "\n}";
      case 2:
        return "if " + inner + "\nthen " + simple(0) + "; else " + simple(0) + "; fi";
      case 3:
        return "for v in a 'b c'; do " + inner + "\ndone";
      case 4:
        return "case x in y) " + simple(0) + " ;; *) " + inner + "\n;; esac";
      case 5: {
        // A name of its own, so that no function calls itself.
        const std::string function = "f_" + std::to_string(++functions_);
        return function + "() { " + inner + "\n}; " + function;
      }
      case 6:
        return "while " + simple(0) + "; do " + inner + "\nbreak; done";
      case 7:
        return "! " + simple(depth);
      case 8:
        return simple(depth) + " <<E\ntext $( " + inner + "\n)\nE\n";
      default:
        return simple(depth);
    }
  }

  std::string simple(int depth) {
    std::string text = pick(6) == 0 ? "V=" + word(depth) + " " : "";
    text += name();
    for (int i = pick(4); i > 0; --i) text += " " + word(depth);
    if (pick(8) == 0) text += " 2>&1";
    return text;
  }

  std::string name() {
    const std::string plain = "q_" + std::to_string(pick(50));
    switch (pick(8)) {
      case 0:
        return "q_''" + plain.substr(2);
      case 1:
        return "\\" + plain;
      case 2:
        return "$'\\x71_" + plain.substr(2) + "'";
      case 3:
        return "\"" + plain + "\"";
      default:
        return plain;
    }
  }

  std::string word(int depth) {
    static const std::array<const char*, 13> kWords = {
        "a",        "--flag=1", "'x y'", "\"x $V y\"", "$V",         "{b,c}d", "e\\ f",
        "$'t\\tu'", "[x]*",     "a#b",   "\"q\\\"r\"", "'it'\\''s'", "x=y"};
    if (depth > 0 && pick(5) == 0) {
      const std::string inner = list(depth - 1);
      const bool has_here = inner.find("<<") != std::string::npos;
      switch (pick(has_here ? 1 : 3)) {
        case 0:
          return "$( " + inner + "\n)";
        case 1:
          return "\"s $( " + inner + "\n) t\"";
        default:
          return inner.find_first_of("`\\\"") == std::string::npos ? "`" + inner + "`" : "z";
      }
    }
    return kWords[pick(kWords.size())];
  }

  std::mt19937 random_;
  int functions_ = 0;
};

TEST_F(Bash, RunsNothingThatWasNotSaid) {
  constexpr int kScripts = 250;
  int said = 0;
  std::size_t ran_in_all = 0;
  for (int seed = 0; seed < kScripts; ++seed) {
    const std::string script = Scripts(static_cast<unsigned>(seed)).list(3);
    const auto commands = parse_shell(script);
    if (!commands) continue;
    ++said;
    for (const Arguments& ran : run(script)) {
      ++ran_in_all;
      EXPECT_TRUE(is_said(*commands, ran)) << "seed " << seed << "\n"
                                           << script << "\nran: " << show(ran);
    }
    if (HasFailure()) return;
  }
  // The comparison must not be empty.
  EXPECT_GT(said, kScripts / 2);
  EXPECT_GT(ran_in_all, 600U);
}

TEST_F(Bash, AgreesOnWhatPeopleHideCommandsIn) {
  const std::vector<std::string> scripts = {"q_1;q_2",
                                            "q_1\rq_2",
                                            "q_1 #q_2\nq_3",
                                            "q_1 \\\nq_2",
                                            "q_1&q_2&&q_3",
                                            "q_1|&q_2",
                                            "q_1 <<'E'\n$(q_2)\nE",
                                            "q_1 <<E\n`q_2`\nE\nq_3",
                                            "q_1 <<-E\n\t$(q_2)\n\tE\nq_3",
                                            "q_1 \"$(q_2 \"$(q_3)\")\"",
                                            "q_1 `q_2 \\`q_3\\``",
                                            "{q_1,q_2}",
                                            "q_{1,2} x",
                                            "a=$(q_1)",
                                            "a=(1 $(q_2))",
                                            "export x=$(q_1)",
                                            "[[ $(q_1) == x ]]",
                                            "case $(q_1) in x) ;; esac",
                                            "for i in $(q_1); do q_2; done",
                                            "q_1 <(q_2) >(q_3)",
                                            "f() if q_1; then q_2; fi; f",
                                            "function g { q_3; }; g",
                                            "time q_1",
                                            "! ! q_1",
                                            "q_1 >/dev/null $(q_2)",
                                            "coproc q_1",
                                            "until q_1; do q_2; break; done",
                                            "select x in a; do q_1; break; done",
                                            "q_1 $((1+2)) q_2",
                                            "q_1 '$(q_2)'",
                                            "q_1 \"\\$(q_2)\"",
                                            "q_1 $\"$(q_2)\"",
                                            "if ! q_1; then :; elif q_2; then q_3; fi",
                                            "q_1 2>&1 | { q_2; }",
                                            "(q_1)&q_2",
                                            "q_1 ~ ~root",
                                            "q_1 a{b,c{d,e}}f",
                                            "q_1 \xc2\xa0q_2",
                                            "q_1\xe2\x80\xa8q_2",
                                            "q_1 $'a\\'b' q_2",
                                            "\"q_1\"'' q_2"};
  for (const std::string& script : scripts) {
    const auto commands = parse_shell(script);
    if (!commands) continue;
    for (const Arguments& ran : run(script))
      EXPECT_TRUE(is_said(*commands, ran)) << script << "\nran: " << show(ran);
  }
}

}  // namespace
}  // namespace aispm::policy
