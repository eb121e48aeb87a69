// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <utility>

#include "sdk/core/common/result.hpp"

// The coroutine vocabulary. Include only from the few .cpp files that wait: each costs half a
// minute to compile.
namespace aispm::net {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

// A coroutine that yields a Result. Starts when awaited; runs on the awaiting thread's io_context.
template <typename T = void>
using Task = asio::awaitable<Result<T>>;

// Operations give (error_code, value...) instead of throwing.
inline constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

inline auto fail_net(std::string_view what, error_code error) {
  const bool late = error == asio::error::operation_aborted || error == asio::error::timed_out;
  return fail(late ? Errc::kDeadlineExceeded : Errc::kUnavailable,
              std::string(what) + ": " + (late ? "timed out" : error.message()), error.value());
}

// Ends `task` with kDeadlineExceeded after `limit`. For rare waits (connecting, resolving,
// handshakes); sockets on the hot path carry a deadline of their own (Stream::expire_after), which
// costs no timer per wait.
template <typename T>
Task<T> with_deadline(Task<T> task, std::chrono::milliseconds limit) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor, limit);
  auto first = co_await (std::move(task) || timer.async_wait(kNoThrow));
  if (first.index() == 1) co_return fail(Errc::kDeadlineExceeded, "timed out");
  co_return std::move(std::get<0>(first));
}

}  // namespace aispm::net
