// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>
#include <string_view>

#include "sdk/core/common/pki.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector {

// Who the peer is, by the client certificate that TLS has verified against our CA, and nothing
// else. kUnauthenticated without one; kDenied for a certificate of another tenant.
inline Result<pki::Identity> identify(const grpc::ServerContextBase& context,
                                      const std::string& tenant) {
  const auto auth = context.auth_context();
  const auto certificates = auth->FindPropertyValues("x509_pem_cert");
  if (!auth->IsPeerAuthenticated() || certificates.empty())
    return fail(Errc::kUnauthenticated, "a client certificate is needed: enrol first");
  AISPM_TRY(pki::Identity identity,
            pki::parse_identity({certificates[0].data(), certificates[0].size()}));
  if (identity.tenant != tenant)
    return fail(Errc::kDenied, "the certificate belongs to another tenant");
  return identity;
}

// Whether the caller is known and of that component ("gateway", "sensord"); kDenied when another.
inline Result<> must_be(std::string_view component, const Result<pki::Identity>& caller) {
  if (!caller) return fail(caller.error());
  if (caller->component != component)
    return fail(Errc::kDenied,
                "only a " + std::string(component) + " may call this, not a " + caller->component);
  return {};
}

}  // namespace aispm::collector
