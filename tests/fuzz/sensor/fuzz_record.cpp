// SPDX-License-Identifier: Apache-2.0
// One record of a ring, as any bytes. What is decoded keeps to the limits of bpf/events.h.
#include <cstdlib>

#include "sensor/decode/decode.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sensor;
  const auto record = decode_record(std::as_bytes(std::span(data, size)));
  if (!record) {
    if (record.error().message.empty()) std::abort();
    return 0;
  }
  if (const auto* chunk = std::get_if<TlsChunk>(&*record)) {
    if (chunk->bytes.empty() || chunk->bytes.size() > AISPM_CHUNK_LEN) std::abort();
    if (chunk->offset + chunk->bytes.size() < chunk->offset) std::abort();
  }
  if (const auto* exec = std::get_if<Exec>(&*record)) {
    std::size_t total = 0;
    for (const std::string& argument : exec->argv) total += argument.size();
    if (total > AISPM_ARGS_LEN || exec->argv.size() > AISPM_ARGS_LEN) std::abort();
    if (exec->exe.size() > AISPM_PATH_LEN + 8) std::abort();
  }
  return 0;
}
