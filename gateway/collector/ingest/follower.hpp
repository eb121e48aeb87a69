// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <string>

#include "gateway/collector/ingest/links.hpp"
#include "sdk/core/common/pki.hpp"

// Daemons of one kind on one host are told apart by what they say of themselves: several gateways
// share their host's identity.
namespace aispm::collector {

constexpr std::size_t kMaxInstanceBytes = 96;

// `who`, whose component is now followed by its instance where it names one: "gateway
// /var/lib/aispm-gateway". A word of its own (x-aispm-instance), so it proves nothing; longer ones
// and those with other than printable ASCII are passed over.
inline pki::Identity with_instance(pki::Identity who, const grpc::ServerContextBase& context) {
  const auto found = context.client_metadata().find("x-aispm-instance");
  if (found == context.client_metadata().end()) return who;
  const std::string instance(found->second.data(), found->second.size());
  const bool is_good =
      !instance.empty() && instance.size() <= kMaxInstanceBytes &&
      std::all_of(instance.begin(), instance.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (is_good) who.component += " " + instance;
  return who;
}

// Stands among the links for as long as somebody holds it.
inline std::shared_ptr<const void> hold_link(Links& links, const Links::Name& name) {
  links.add(name);
  return {nullptr, [&links, name](const void*) { links.remove(name); }};
}

}  // namespace aispm::collector
