// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/stdio_book.hpp"

#include <utility>

namespace aispm::sensor {

void StdioBook::take(const StdioFound& found, const ProcessId& peer) {
  Server server;
  server.peer = peer;
  server.generation = found.generation;
  servers_.put(found.actor.id, std::move(server));
}

bool StdioBook::take(StreamChunk& chunk) {
  if (chunk.key.source != StreamSource::kStdio) return true;
  Server* server = servers_.find(chunk.key.process);
  if (server == nullptr || server->generation != chunk.key.generation) return true;
  chunk.peer = server->peer;
  if (server->is_proven) return true;
  std::string& line = server->line[static_cast<std::size_t>(chunk.direction)];
  line += chunk.bytes;
  if (line.find("\"jsonrpc\"") != std::string::npos) {
    server->is_proven = true;
    for (std::string& one : server->line) std::string().swap(one);
    return true;
  }
  const bool is_whole = line.find('\n', line.find_first_not_of("\r\n ")) != std::string::npos;
  if (!is_whole && line.size() <= kMaxLineBytes) return true;
  servers_.erase(chunk.key.process);
  return false;
}

}  // namespace aispm::sensor
