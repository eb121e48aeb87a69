// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace aispm {

// What the caller can do about a failure; maps one to one onto gRPC and HTTP status classes.
enum class Errc {
  kInvalid,           // the input is wrong: mend it, retrying is pointless
  kNotFound,          // what was named does not exist
  kExists,            // what was to be made is there already
  kDenied,            // not allowed for this caller
  kUnauthenticated,   // the caller did not prove who it is
  kUnavailable,       // a peer, file or kernel facility is not there now: retry may help
  kDeadlineExceeded,  // a wait with a deadline ran out
  kTooLarge,          // a named limit was exceeded
  kExhausted,         // a quota, queue or disk is full
  kUnsupported,       // this host, kernel or build cannot do it
  kInternal,          // a bug or a broken invariant
};

std::string_view name_of(Errc code);

// A failure that a caller can act on: a code, one sentence, and the errno behind it (0 = none).
struct Error {
  Errc code = Errc::kInternal;
  std::string message;
  int system_errno = 0;
};

// [[nodiscard]] wrapper over tl::expected: a dropped result does not compile (-Werror).
// A move to std::expected changes this header only.
template <typename T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  // Copying of the base is deliberate: a Result is its expected and nothing more.
  Result(tl::expected<T, Error> base)  // NOLINT(google-explicit-constructor)
      : tl::expected<T, Error>(std::move(base)) {}
};

// `return fail(Errc::kInvalid, "policy.yaml:3: ...")`
inline tl::unexpected<Error> fail(Errc code, std::string message, int system_errno = 0) {
  return tl::unexpected<Error>(Error{code, std::move(message), system_errno});
}

inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// Turns the current (or given) errno into an Error: "`what`: strerror".
tl::unexpected<Error> fail_errno(std::string_view what, int system_errno = errno);

}  // namespace aispm

#define AISPM_CONCAT_INNER(a, b) a##b
#define AISPM_CONCAT(a, b) AISPM_CONCAT_INNER(a, b)

// AISPM_TRY(const Profile profile, load_profile(path)): declares on success, returns the error on
// failure.
#define AISPM_TRY(declaration, expression) \
  AISPM_TRY_IMPL(AISPM_CONCAT(aispm_result_, __LINE__), declaration, expression)
#define AISPM_TRY_IMPL(result, declaration, expression)         \
  auto result = (expression);                                   \
  if (!result) return ::aispm::fail(std::move(result).error()); \
  declaration = std::move(*result)

// AISPM_CHECK(sync(fd)): the same for Result<void>.
#define AISPM_CHECK(expression)                             \
  do {                                                      \
    if (auto aispm_check = (expression); !aispm_check)      \
      return ::aispm::fail(std::move(aispm_check).error()); \
  } while (false)

// The same two for coroutines.
#define AISPM_CO_TRY(declaration, expression) \
  AISPM_CO_TRY_IMPL(AISPM_CONCAT(aispm_result_, __LINE__), declaration, expression)
#define AISPM_CO_TRY_IMPL(result, declaration, expression)         \
  auto result = (expression);                                      \
  if (!result) co_return ::aispm::fail(std::move(result).error()); \
  declaration = std::move(*result)

#define AISPM_CO_CHECK(expression)                             \
  do {                                                         \
    if (auto aispm_check = (expression); !aispm_check)         \
      co_return ::aispm::fail(std::move(aispm_check).error()); \
  } while (false)
