// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sensor/capture/kernel_features.hpp"
#include "sensor/capture/shared_maps.hpp"
#include "sensor/capture/tls_probes.hpp"

struct tls_aead_bpf;
struct tls_go_bpf;

namespace aispm::sensor {

// The programs for TLS that is linked into programs and has no functions of its own to probe: Go's
// crypto/tls, and aws-lc's ciphers below rustls. Adds their hooks to `tls`, which it must outlive.
class StaticTls {
 public:
  static Result<StaticTls> open(const SharedMaps& maps, const KernelFeatures& features,
                                TlsProbes& tls, std::uint32_t own_tgid);

 private:
  struct Free {
    void operator()(tls_aead_bpf* programs) const;
    void operator()(tls_go_bpf* programs) const;
  };
  // Ties cipher contexts to sockets; attached with the first probe that needs it, then kept.
  struct SocketHooks;
  struct FreeSocketHooks {
    void operator()(SocketHooks* hooks) const;
  };

  StaticTls() = default;
  Result<> open_go(const SharedMaps& maps, TlsProbes& tls, std::uint32_t own_tgid);
  Result<> open_aead(const SharedMaps& maps, const KernelFeatures& features, TlsProbes& tls,
                     std::uint32_t own_tgid);

  std::unique_ptr<tls_go_bpf, Free> go_;
  std::unique_ptr<tls_aead_bpf, Free> aead_;
  std::unique_ptr<SocketHooks, FreeSocketHooks> socket_hooks_;
};

}  // namespace aispm::sensor
