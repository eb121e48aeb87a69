// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/supervise/audit_record.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// Reads the kernel's audit stream for one sandbox of root's. Only listens: whether a host keeps
// audit on is its owner's choice (ADR 0035).
class Audit {
 public:
  // Landlock tells audit of its refusals since this ABI (Linux 6.15).
  static constexpr int kMinLandlockAbi = 7;

  // kUnsupported with the reason when the stream cannot be read.
  static Result<std::unique_ptr<Audit>> open(std::uint32_t host_uid, const std::string& session_id);
  // kUnsupported with the reason when nothing will come. open() asked the kernel, which answers
  // from a thread of its own: best called when there was other work in between.
  Result<> confirm();

  int fd() const { return socket_.get(); }
  // What has arrived. Does not wait.
  std::vector<Denial> read();
  // After the agent's end: what is still on its way. Puts a mark of this run into the stream and
  // reads up to it, for at most 200 ms.
  std::vector<Denial> read_last();
  // Records that the kernel dropped since confirm(). It counts for the whole host: at most so many
  // were of this sandbox.
  std::uint32_t lost() const;

 private:
  Audit(UniqueFd socket, UniqueFd control, std::uint32_t host_uid, std::string session_id)
      : socket_(std::move(socket)),
        control_(std::move(control)),
        records_(host_uid),
        session_id_(std::move(session_id)) {}

  UniqueFd socket_;   // multicast
  UniqueFd control_;  // requests
  AuditRecords records_;
  std::string session_id_;
  std::uint32_t lost_before_ = 0;  // the kernel's counter at the start
  bool saw_mark_ = false;
};

}  // namespace aispm::sandbox
