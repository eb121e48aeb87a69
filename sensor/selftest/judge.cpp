// SPDX-License-Identifier: Apache-2.0
#include "sensor/selftest/judge.hpp"

#include <signal.h>

#include <algorithm>
#include <functional>

#include "sensor/selftest/workload.hpp"

namespace aispm::sensor {
namespace {

template <typename T>
std::vector<T> records_of(const std::vector<Record>& records, std::uint32_t pid) {
  std::vector<T> found;
  for (const Record& record : records)
    if (const T* one = std::get_if<T>(&record); one != nullptr && one->actor.id.pid == pid)
      found.push_back(*one);
  return found;
}

// Each returns why not, or nothing.
std::string judge_exec(const Expected& expected, const std::vector<Record>& records) {
  const auto found = records_of<Exec>(records, expected.worker);
  if (found.empty()) return "no exec was seen";
  const Exec& exec = found.front();
  if (exec.argv.size() < 2 || exec.argv[1] != "--selftest-work") return "wrong arguments";
  if (exec.exe != expected.exe) return "executable is " + exec.exe + ", not " + expected.exe;
  if (exec.actor.parent.pid != expected.parent) return "wrong parent";
  if (exec.actor.uid != expected.uid) return "wrong uid";
  if (exec.actor.pid_namespace != expected.pid_namespace) return "wrong pid namespace";
  if (exec.actor.id.start.nanoseconds == 0 || exec.actor.parent.start.nanoseconds == 0)
    return "no start time";
  return "";
}

std::string judge_exit(std::uint32_t pid, std::uint32_t code, std::uint32_t signal,
                       const std::vector<Record>& records) {
  const auto found = records_of<Exit>(records, pid);
  if (found.size() != 1) return std::to_string(found.size()) + " exits were seen";
  if (found.front().exit_code != code || found.front().signal != signal)
    return "code " + std::to_string(found.front().exit_code) + ", signal " +
           std::to_string(found.front().signal);
  return "";
}

std::string judge_listen(bool is_v6, const Expected& expected, const std::vector<Record>& records) {
  for (const Listen& listen : records_of<Listen>(records, expected.worker)) {
    const Address& at = listen.socket.source;
    if (at.is_v6 == is_v6 && at.port != 0 && at.host_text() == (is_v6 ? "::1" : "127.0.0.1"))
      return "";
  }
  return "no listener was seen";
}

std::string judge_connect(bool is_v6, const Expected& expected,
                          const std::vector<Record>& records) {
  for (const Connect& connect : records_of<Connect>(records, expected.worker)) {
    const std::string loopback = is_v6 ? "::1" : "127.0.0.1";
    const Endpoints& socket = connect.socket;
    if (socket.destination.is_v6 != is_v6 || socket.destination.host_text() != loopback) continue;
    if (socket.source.host_text() != loopback || socket.source.port == 0) return "wrong source";
    if (connect.outcome != ConnectOutcome::kEstablished) return "wrong outcome";
    return "";
  }
  return "no connect was seen";
}

// All plaintext of the worker in one direction, by connection; a hole makes it end early.
std::map<TlsKey, std::string> join_plaintext(const std::vector<TlsChunk>& chunks,
                                             Direction direction) {
  std::map<TlsKey, std::string> streams;
  for (const TlsChunk& chunk : chunks)
    if (chunk.direction == direction && chunk.offset == streams[chunk.key].size())
      streams[chunk.key] += chunk.bytes;
  return streams;
}

// Both ends live in the worker, so each direction has two streams; they must all hold the part of
// the payload named.
std::string judge_plaintext(Direction direction, bool is_ex, const std::vector<TlsChunk>& chunks) {
  const std::string plain = make_payload('p', kWorkPlainBytes);
  const std::string ex = make_payload('x', kWorkExBytes);
  const auto streams = join_plaintext(chunks, direction);
  if (streams.size() != 2) return std::to_string(streams.size()) + " of 2 connections were seen";
  for (const auto& [key, bytes] : streams) {
    const std::string part =
        is_ex ? bytes.substr(std::min(bytes.size(), plain.size())) : bytes.substr(0, plain.size());
    if (part != (is_ex ? ex : plain)) return "the plaintext differs from what was sent";
  }
  return "";
}

}  // namespace

std::vector<Verdict> judge(const Expected& expected, const std::vector<Record>& records) {
  std::vector<Verdict> verdicts;
  const auto add = [&](std::string feature, std::string part, std::string why) {
    verdicts.push_back({std::move(feature), std::move(part), why.empty(), why});
  };
  const auto chunks = records_of<TlsChunk>(records, expected.worker);
  add("exec", "process", judge_exec(expected, records));
  add("exit code", "process", judge_exit(expected.worker, kWorkExitCode, 0, records));
  add("exit signal", "process", judge_exit(expected.killed, 0, SIGKILL, records));
  add("listen v4", "network", judge_listen(false, expected, records));
  add("connect v4", "network", judge_connect(false, expected, records));
  if (expected.has_ipv6) {
    add("listen v6", "network", judge_listen(true, expected, records));
    add("connect v6", "network", judge_connect(true, expected, records));
  }
  add("SSL_write", "tls", judge_plaintext(Direction::kWrite, false, chunks));
  add("SSL_read", "tls", judge_plaintext(Direction::kRead, false, chunks));
  add("SSL_write_ex", "tls", judge_plaintext(Direction::kWrite, true, chunks));
  add("SSL_read_ex", "tls", judge_plaintext(Direction::kRead, true, chunks));
  const bool has_sockets =
      !chunks.empty() && std::all_of(chunks.begin(), chunks.end(), [](const TlsChunk& chunk) {
        return chunk.socket && chunk.socket->cookie != 0;
      });
  add("TLS socket", "tls_socket", has_sockets ? "" : "plaintext without its socket");
  const std::size_t closes = records_of<TlsClose>(records, expected.worker).size();
  add("TLS close", "tls", closes == 2 ? "" : std::to_string(closes) + " of 2 closes were seen");
  return verdicts;
}

}  // namespace aispm::sensor
