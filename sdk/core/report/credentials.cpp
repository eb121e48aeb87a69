// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/credentials.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>

#include "sdk/core/common/file.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "sdk/core/report/enrolment.hpp"

namespace aispm::report {
namespace {

constexpr std::size_t kMaxTokenBytes = 1024;
constexpr std::size_t kFingerprintDigits = 64;

struct Paths {
  explicit Paths(const std::string& folder)
      : lock(folder + "/credentials.lock"),
        key(folder + "/client.key"),
        next_key(folder + "/client.key.next"),
        certificate(folder + "/client.crt"),
        ca(folder + "/ca.crt") {}
  std::string lock;
  std::string key;
  std::string next_key;  // the key of the certificate being asked for; takes the place of `key`
                         // once that is stored
  std::string certificate;
  std::string ca;
};

Result<UniqueFd> lock_folder(const Paths& paths) {
  UniqueFd lock(::open(paths.lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail_errno("open " + paths.lock);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_errno("lock " + paths.lock);
  return lock;
}

Result<> rename_key(const Paths& paths) {
  if (::rename(paths.next_key.c_str(), paths.key.c_str()) != 0)
    return fail_errno("rename " + paths.next_key);
  return {};
}

// kNotFound when the daemon has not enrolled yet.
Result<ClientCertificate> load(const Paths& paths) {
  ClientCertificate loaded;
  AISPM_TRY(loaded.certificate_pem, read_file(paths.certificate, pki::kMaxPemBytes));
  AISPM_TRY(loaded.ca_pem, read_file(paths.ca, pki::kMaxPemBytes));
  auto key = read_file(paths.key, pki::kMaxPemBytes);
  if (key) loaded.key_pem = Secret(std::move(*key));
  if (!key || !pki::key_fits(loaded.key_pem, loaded.certificate_pem)) {
    // A crash between storing a new certificate and renaming its key.
    AISPM_TRY(std::string next, read_file(paths.next_key, pki::kMaxPemBytes));
    loaded.key_pem = Secret(std::move(next));
    if (!pki::key_fits(loaded.key_pem, loaded.certificate_pem))
      return fail(Errc::kNotFound, paths.key + ": does not belong to " + paths.certificate);
    AISPM_CHECK(rename_key(paths));
  }
  AISPM_TRY(const pki::Validity validity, pki::validity(loaded.certificate_pem));
  loaded.renew_at = {validity.until.nanoseconds -
                     (validity.until.nanoseconds - validity.from.nanoseconds) / 3};
  return loaded;
}

// What came back is only stored if it is what was asked for.
Result<> check_reply(const ReporterOptions& options, const EnrolmentReply& reply,
                     const Secret& key) {
  if (!pki::key_fits(key, reply.certificate_pem))
    return fail(Errc::kUnauthenticated, "the collector's certificate is not for our key");
  AISPM_TRY(const pki::Identity identity, pki::parse_identity(reply.certificate_pem));
  if (identity.component != options.component)
    return fail(Errc::kUnauthenticated, "the collector's certificate names component `" +
                                            identity.component + "` instead of `" +
                                            options.component + "`");
  return {};
}

// `ask` sends the request with the new key's certificate request and gives the reply.
template <typename Ask>
Result<ClientCertificate> replace_certificate(const ReporterOptions& options, const Paths& paths,
                                              Ask ask) {
  AISPM_TRY(const Secret key, pki::make_key());
  AISPM_TRY(const std::string request, pki::make_request(key, options.component));
  AISPM_CHECK(write_file_atomically(paths.next_key, key.expose(), 0600));
  AISPM_TRY(const EnrolmentReply reply, ask(request));
  AISPM_CHECK(check_reply(options, reply, key));
  AISPM_CHECK(write_file_atomically(paths.ca, reply.ca_pem, 0600));
  AISPM_CHECK(write_file_atomically(paths.certificate, reply.certificate_pem, 0600));
  AISPM_CHECK(rename_key(paths));
  return load(paths);
}

Result<ClientCertificate> enrol_now(const ReporterOptions& options, const Paths& paths,
                                    const EnrolmentToken& token, const std::stop_token& stop) {
  AISPM_TRY(ClientCertificate made,
            replace_certificate(options, paths, [&](const std::string& request) {
              return enrol(options, token, request, stop);
            }));
  log::info("enrolled", {{"collector", options.collector}, {"component", options.component}});
  return made;
}

bool token_is_for_another_ca(const std::optional<EnrolmentToken>& token,
                             const ClientCertificate& present) {
  const auto fingerprint = pki::fingerprint(present.ca_pem);
  return token && (!fingerprint || *fingerprint != token->ca_fingerprint);
}

}  // namespace

Result<std::string> host_of(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size())
    return fail(Errc::kInvalid,
                "collector address `" + address + "`: must be host:port, e.g. 127.0.0.1:7443");
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  return host;
}

Result<EnrolmentToken> parse_enrolment_token(const std::string& text) {
  const std::size_t dot = text.rfind('.');
  if (text.size() <= kMaxTokenBytes && dot != std::string::npos && dot > 0 &&
      text.size() - dot - 1 == kFingerprintDigits &&
      std::all_of(text.begin() + static_cast<std::ptrdiff_t>(dot) + 1, text.end(),
                  [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }))
    return EnrolmentToken{text, text.substr(dot + 1)};
  return fail(Errc::kInvalid,
              "enrolment token: must be <random>.<64 hex digits>; make one with `aispm enrol-token "
              "create`");
}

Result<ClientCertificate> obtain_certificate(const ReporterOptions& options, std::stop_token stop) {
  const Paths paths(options.state_folder);
  std::optional<EnrolmentToken> token;
  if (!options.enrolment_token.empty()) {
    AISPM_TRY(token, parse_enrolment_token(options.enrolment_token));
  }
  AISPM_TRY(const UniqueFd lock, lock_folder(paths));
  auto present = load(paths);
  if (!present || token_is_for_another_ca(token, *present)) {
    if (token) return enrol_now(options, paths, *token, stop);
    return fail(Errc::kUnauthenticated,
                options.state_folder + ": no usable client certificate (" +
                    present.error().message +
                    ") and no enrolment token; make one with `aispm enrol-token create`");
  }
  const WallTime now = wall_now();
  if (now < present->renew_at) return present;
  auto renewed = replace_certificate(options, paths, [&](const std::string& request) {
    return renew(options, *present, request, stop);
  });
  if (renewed) {
    log::info("certificate.renewed", {{"renew_at", to_rfc3339(renewed->renew_at)}});
    return renewed;
  }
  AISPM_TRY(const WallTime expiry, pki::expiry(present->certificate_pem));
  if (now < expiry) {
    log::warn("certificate.renewal_failed",
              {{"reason", renewed.error().message}, {"expires", to_rfc3339(expiry)}});
    // Not again at once: the present one still works.
    present->renew_at = {now.nanoseconds + (expiry.nanoseconds - now.nanoseconds) / 2};
    return present;
  }
  if (token) return enrol_now(options, paths, *token, stop);
  return fail(Errc::kUnauthenticated,
              paths.certificate + ": expired at " + to_rfc3339(expiry) +
                  "; delete it and enrol with a token of `aispm enrol-token create`");
}

}  // namespace aispm::report
