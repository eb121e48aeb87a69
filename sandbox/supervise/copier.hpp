// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sandbox/supervise/event_loop.hpp"

namespace aispm::sandbox {

// Where copied bytes go: a descriptor of the caller, whose flags we share with others and must not
// change, so that it may be a blocking one. `write` never blocks for long all the same.
class Sink {
 public:
  // Lends `fd`.
  explicit Sink(int fd) : fd_(fd) {}
  // Bytes written, or -1 with errno (EAGAIN: wait until it is writable).
  ssize_t write(std::string_view bytes);
  int fd() const { return own_ ? own_.get() : fd_; }
  bool is_file() const { return kind_ == Kind::kPlain; }

 private:
  enum class Kind { kUnknown, kPlain, kNonBlocking, kSocket, kGuarded };
  void examine();

  int fd_;
  UniqueFd own_;  // the same pipe or terminal, opened again without blocking
  Kind kind_ = Kind::kUnknown;
};

// Opens the terminal or pipe behind `fd` again, with flags of its own; none when that is not
// possible.
UniqueFd reopen(int fd, int flags);

// Copies bytes from one descriptor to another in order, holding at most kBufferBytes. When the
// receiver is gone, the sender learns it: its end is closed. Not thread-safe.
class Copier {
 public:
  static constexpr std::size_t kBufferBytes = 64 * 1024;
  // Sees the bytes just read and says how many of them may pass; what is beyond is dropped.
  using Inspect = std::function<std::size_t(std::string_view)>;

  // Takes `from`, which must not block, and lends `to`.
  Copier(EventLoop& loop, UniqueFd from, int to, Inspect inspect);
  Copier(const Copier&) = delete;
  Copier& operator=(const Copier&) = delete;
  ~Copier();

  Result<> start();
  // Nothing is read while paused.
  void pause(bool is_paused);
  // Reads and writes what is there now without waiting. True when nothing is left to read or write.
  bool drain();
  // The sender has ended or the receiver is gone.
  bool is_closed() const { return !from_; }
  bool has_pending() const { return !pending_.empty(); }
  // Descriptor it reads from; -1 when closed.
  int source() const { return from_.get(); }
  // errno of what ended the copying for another reason than a receiver that went away; 0: none.
  int write_error() const { return write_error_; }
  // Gives up: the sender meets a closed stream.
  void close();

 private:
  bool read_some();
  void write_some();
  Result<> watch_source();
  void on_sink();
  void watch();
  void lose_sink(int error);

  EventLoop& loop_;
  UniqueFd from_;
  Sink to_;
  Inspect inspect_;
  std::string pending_;
  std::size_t written_ = 0;  // of `pending_`
  int write_error_ = 0;
  bool is_paused_ = false;
  bool is_ended_ = false;  // the sender has ended; `pending_` may still wait
  bool is_reading_ = false;
  int watched_sink_ = -1;
};

}  // namespace aispm::sandbox
