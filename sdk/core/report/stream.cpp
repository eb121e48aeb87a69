// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/stream.hpp"

namespace aispm::report {

ReportStream::ReportStream(Mailbox& mailbox, const std::shared_ptr<grpc::Channel>& channel)
    : mailbox_(mailbox), stub_(v1::Ingest::NewStub(channel)) {}

void ReportStream::begin(v1::ReportRequest hello) {
  stub_->async()->Report(&context_, this);
  // Writes start outside of gRPC's callbacks, so the call must not end between them.
  AddHold();
  request_ = std::move(hello);
  StartRead(&reply_);
  StartWrite(&request_);
  StartCall();
}

void ReportStream::write(v1::ReportRequest request) {
  {
    const std::scoped_lock guard(mailbox_.mutex);
    can_write = false;
  }
  request_ = std::move(request);
  StartWrite(&request_);
}

void ReportStream::end(std::chrono::milliseconds patience) {
  std::unique_lock guard(mailbox_.mutex);
  const bool may_close = can_write && !broken;
  can_write = false;
  guard.unlock();
  if (may_close) StartWritesDone();
  RemoveHold();
  guard.lock();
  mailbox_.changed.wait_for(guard, patience, [this] { return done; });
  if (done) return;
  guard.unlock();
  context_.TryCancel();
  guard.lock();
  mailbox_.changed.wait(guard, [this] { return done; });
}

void ReportStream::OnReadDone(bool ok) {
  if (!ok) {  // OnDone follows once the hold is gone
    const std::scoped_lock guard(mailbox_.mutex);
    broken = true;
    mailbox_.changed.notify_all();
    return;
  }
  {
    const std::scoped_lock guard(mailbox_.mutex);
    if (reply_.has_hello() && !hello_reply)
      hello_reply = reply_.hello();
    else if (reply_.has_ack())
      acks.push_back(reply_.ack());
    mailbox_.changed.notify_all();
  }
  StartRead(&reply_);
}

void ReportStream::OnWriteDone(bool ok) {
  const std::scoped_lock guard(mailbox_.mutex);
  can_write = ok;
  mailbox_.changed.notify_all();
}

void ReportStream::OnDone(const grpc::Status& final_status) {
  const std::scoped_lock guard(mailbox_.mutex);
  status = final_status;
  done = true;
  mailbox_.changed.notify_all();
}

}  // namespace aispm::report
