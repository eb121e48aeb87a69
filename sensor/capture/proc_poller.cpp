// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/proc_poller.hpp"

#include <dirent.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"
#include "sensor/capture/proc_reader.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxTableBytes = 64U << 20;
constexpr std::uint32_t kEstablished = 1;
constexpr std::uint32_t kSynSent = 2;
constexpr std::uint32_t kListening = 10;

// The socket inodes among `wanted` that this process holds.
std::vector<std::uint64_t> held_sockets(
    std::uint32_t pid, const std::unordered_map<std::uint64_t, ProcSocket>& wanted) {
  std::vector<std::uint64_t> held;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  const CPtr<DIR, ::closedir> descriptors(::opendir(folder.c_str()));
  while (const dirent* entry = descriptors ? ::readdir(descriptors.get()) : nullptr) {
    std::array<char, 64> target{};
    const ssize_t size =
        ::readlinkat(::dirfd(descriptors.get()), entry->d_name, target.data(), target.size());
    if (size <= 0) continue;
    const auto inode = parse_socket_link({target.data(), static_cast<std::size_t>(size)});
    if (inode && wanted.contains(*inode)) held.push_back(*inode);
  }
  return held;
}

}  // namespace

void ProcPoller::poll(const std::function<void(Record)>& on_record) {
  if (subjects_.processes) poll_processes(on_record);
  if (subjects_.sockets) poll_sockets(on_record);
}

void ProcPoller::poll_processes(const std::function<void(Record)>& on_record) {
  std::map<ProcessId, Exec> now;
  for (const std::uint32_t pid : list_processes()) {
    if (now.size() >= kMaxProcesses) break;
    if (auto process = read_process(pid)) now.emplace(process->actor.id, std::move(*process));
  }
  for (const auto& [id, process] : now) {
    const auto known = processes_.find(id);
    const bool is_same_program = known != processes_.end() && known->second.exe == process.exe &&
                                 known->second.argv == process.argv;
    if (is_same_program) continue;
    Exec exec = process;
    if (known != processes_.end()) exec.time = boot_now();
    on_record(std::move(exec));
  }
  for (const auto& [id, process] : processes_)
    if (!now.contains(id)) on_record(Exit{boot_now(), process.actor, 0, 0});
  processes_ = std::move(now);
}

void ProcPoller::poll_sockets(const std::function<void(Record)>& on_record) {
  std::unordered_map<std::uint64_t, ProcSocket> fresh;
  std::set<std::uint64_t> all;
  std::set<std::uint16_t> listening_ports;
  std::vector<ProcSocket> sockets;
  for (const bool is_v6 : {false, true}) {
    const auto table = read_file(is_v6 ? "/proc/net/tcp6" : "/proc/net/tcp", kMaxTableBytes);
    if (!table) continue;
    for (const ProcSocket& socket : parse_sockets(*table, is_v6)) sockets.push_back(socket);
  }
  for (const ProcSocket& socket : sockets)
    if (socket.state == kListening) listening_ports.insert(socket.endpoints.source.port);
  for (const ProcSocket& socket : sockets) {
    if (socket.inode == 0 || all.size() >= kMaxSockets) continue;
    if (socket.state != kListening && socket.state != kEstablished && socket.state != kSynSent)
      continue;
    all.insert(socket.inode);
    // A socket whose own port is listened on was accepted, not connected.
    const bool is_accepted =
        socket.state == kEstablished && listening_ports.contains(socket.endpoints.source.port);
    if (!sockets_.contains(socket.inode) && !is_accepted) fresh.emplace(socket.inode, socket);
  }
  sockets_ = std::move(all);
  if (fresh.empty()) return;
  for (const std::uint32_t pid : list_processes()) {
    for (const std::uint64_t inode : held_sockets(pid, fresh)) {
      const ProcSocket socket = fresh.at(inode);
      const auto process = read_process(pid);
      if (!process) continue;
      fresh.erase(inode);  // the first holder counts
      if (socket.state == kListening)
        on_record(Listen{boot_now(), process->actor, socket.endpoints});
      else
        on_record(Connect{
            boot_now(), process->actor, socket.endpoints,
            socket.state == kSynSent ? ConnectOutcome::kPending : ConnectOutcome::kEstablished, 0});
    }
  }
}

}  // namespace aispm::sensor
