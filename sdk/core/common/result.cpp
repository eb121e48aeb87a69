// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/result.hpp"

#include <system_error>

namespace aispm {

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return "invalid";
    case Errc::kNotFound:
      return "not_found";
    case Errc::kExists:
      return "exists";
    case Errc::kDenied:
      return "denied";
    case Errc::kUnauthenticated:
      return "unauthenticated";
    case Errc::kUnavailable:
      return "unavailable";
    case Errc::kDeadlineExceeded:
      return "deadline_exceeded";
    case Errc::kTooLarge:
      return "too_large";
    case Errc::kExhausted:
      return "exhausted";
    case Errc::kUnsupported:
      return "unsupported";
    case Errc::kInternal:
      return "internal";
  }
  return "internal";
}

namespace {

Errc code_of_errno(int value) {
  switch (value) {
    case ENOENT:
    case ESRCH:
    case ENXIO:
      return Errc::kNotFound;
    case EEXIST:
      return Errc::kExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::kDenied;
    case EINVAL:
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return Errc::kInvalid;
    case E2BIG:
    case EFBIG:
    case EMSGSIZE:
      return Errc::kTooLarge;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return Errc::kExhausted;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
      return Errc::kUnsupported;
    case ETIMEDOUT:
      return Errc::kDeadlineExceeded;
    default:
      return Errc::kUnavailable;
  }
}

}  // namespace

tl::unexpected<Error> fail_errno(std::string_view what, int system_errno) {
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(system_errno);
  return fail(code_of_errno(system_errno), std::move(message), system_errno);
}

}  // namespace aispm
