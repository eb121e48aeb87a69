// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "sandbox/model/streams.hpp"
#include "sandbox/supervise/copier.hpp"

namespace aispm::sandbox {

// The caller's terminal, and the copying between it and the one inside, which alone the agent
// reaches. Keeps to job control as the caller's shell does it: reads and changes modes only in the
// foreground, stops and continues with the whole job. Puts the terminal back as it was, at the
// latest when it is destroyed. Not thread-safe.
class Terminal {
 public:
  // Looks at descriptors 0, 1 and 2.
  static Terminal examine();
  Terminal(Terminal&&) noexcept = default;
  Terminal& operator=(Terminal&&) = delete;
  ~Terminal();

  // Which streams are terminals, and with what modes and size the one inside begins.
  void describe(AgentStreams& streams) const;
  bool is_wanted() const { return out_ >= 0; }

  // `main_side` is that of the terminal inside; `inspect` sees its output. Raw mode begins here.
  Result<> attach(EventLoop& loop, UniqueFd main_side, Copier::Inspect inspect);
  bool is_attached() const { return output_ != nullptr; }
  // The window of the caller's terminal has another size.
  void resize();
  // Sends a signal of the caller's terminal (SIGINT, SIGQUIT, SIGTSTP) to what is in front inside.
  // False: not possible, send it to the agent.
  bool signal_front(int number);
  // The caller's terminal is gone: so is the one inside, as it would be without a sandbox.
  void hang_up();
  // The agent has stopped: stops the job that we are part of, and returns when it is continued (at
  // once where no shell could continue it).
  void suspend();
  // Continued, or perhaps brought to the foreground: takes the terminal again if it is ours.
  void resume();
  // True: nobody tells when the job comes to the foreground; call resume() now and then.
  bool is_waiting() const { return is_attached() && in_ >= 0 && !is_raw_; }
  // Copies what is left. True when there is nothing more.
  bool drain();
  // Puts the caller's terminal back as it was.
  void restore();

 private:
  Terminal() = default;
  bool is_front() const;
  termios modes_inside() const;
  void take_modes();
  void enter_raw();

  std::array<bool, 3> is_terminal_{};
  int in_ = -1;   // the caller's 0, when that is a terminal
  int out_ = -1;  // 1, else 2, else 0
  termios before_{};
  bool has_modes_ = false;  // `before_` are those that the shell gives to programs
  bool is_raw_ = false;
  UniqueFd main_side_;
  std::unique_ptr<Copier> input_;
  std::unique_ptr<Copier> output_;
};

}  // namespace aispm::sandbox
