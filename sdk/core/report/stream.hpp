// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "aispm/v1/ingest.grpc.pb.h"

namespace aispm::report {

// Where the sender thread waits for everything that can happen: one lock and one signal.
struct Mailbox {
  std::mutex mutex;
  std::condition_variable changed;
  bool has_data = true;  // the spool may hold batches not sent yet
  bool stop = false;
};

// One call of Ingest.Report. gRPC's threads only put what they saw into the fields below, under the
// mailbox's lock; the sender reads them there. The sender owns the stream and destroys it after
// `wait_done()`.
class ReportStream final : public grpc::ClientBidiReactor<v1::ReportRequest, v1::ReportReply> {
 public:
  ReportStream(Mailbox& mailbox, const std::shared_ptr<grpc::Channel>& channel);

  void begin(v1::ReportRequest hello);
  // Only while `can_write` (which it clears).
  void write(v1::ReportRequest request);
  // Half-closes, waits up to `patience` for the collector to end the call, then cancels it and
  // waits for its end.
  void end(std::chrono::milliseconds patience);

  // Guarded by the mailbox's lock.
  bool can_write = false;
  bool broken = false;  // the call ended by itself; end() then gives `status`
  bool done = false;
  grpc::Status status;
  std::optional<v1::HelloReply> hello_reply;
  std::vector<v1::Ack> acks;

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& final_status) override;

  Mailbox& mailbox_;
  std::unique_ptr<v1::Ingest::Stub> stub_;
  grpc::ClientContext context_;
  v1::ReportRequest request_;
  v1::ReportReply reply_;
};

}  // namespace aispm::report
