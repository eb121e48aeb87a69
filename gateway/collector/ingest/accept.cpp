// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/accept.hpp"

#include <atomic>
#include <deque>

#include "aispm/v1/ingest.grpc.pb.h"
#include "gateway/collector/grpc_status.hpp"
#include "gateway/collector/ingest/approval_calls.hpp"
#include "gateway/collector/ingest/follower.hpp"
#include "gateway/collector/ingest/peer.hpp"
#include "gateway/collector/ingest/validate.hpp"
#include "gateway/collector/ingest/watches.hpp"
#include "gateway/collector/limits.hpp"
#include "gateway/collector/reactor_link.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector {
namespace {

using grpc::ByteBuffer;

ByteBuffer to_bytes(const pb::ReportReply& reply) {
  const grpc::Slice slice(reply.SerializeAsString());
  return {&slice, 1};
}

// One Report stream, from bytes to Acks:
//   read -> decode -> validate -> offer to the writer -> (transaction) -> Ack
// At most kMaxStreamBatches wait for their Ack; while the writer's queue is full the stream is not
// read, so that TCP and then the producer's spool hold the rest. Events are messages as bytes: one
// that does not parse is refused alone. Deletes itself in OnDone; the writer reaches it through
// its ReactorLink only.
class ReportStream : public grpc::ServerBidiReactor<ByteBuffer, ByteBuffer> {
 public:
  ReportStream(const IngestSurroundings& surroundings, std::atomic<std::size_t>& streams,
               Result<pki::Identity> identity)
      : surroundings_(surroundings),
        streams_(streams),
        link_(std::make_shared<ReactorLink<ReportStream>>(this)) {
    const std::lock_guard lock(link_->mutex);
    start(std::move(identity));
  }

  void OnReadDone(bool ok) override {
    const std::lock_guard lock(link_->mutex);
    if (!ok) {  // the client sent everything, or is gone
      is_read_ended_ = true;
      return finish_when_quiet();
    }
    if (auto taken = take_message(); !taken) return finish(to_grpc(taken.error()));
    offer();
  }
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(link_->mutex);
    is_writing_ = false;
    if (!ok) return finish(grpc::Status::CANCELLED);
    if (pending_finish_) return finish(*pending_finish_);
    write_next();
    finish_when_quiet();
  }
  void OnCancel() override {
    const std::lock_guard lock(link_->mutex);
    finish(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    link_->cut();
    if (producer_) surroundings_.links.remove({producer_->host_id, producer_->component});
    streams_.fetch_sub(1);
    delete this;
  }

 private:
  // All below: the link's mutex is held.

  void start(Result<pki::Identity> identity) {
    if (streams_.fetch_add(1) >= limits::kMaxStreams)
      return finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams"});
    if (!identity) return finish(to_grpc(identity.error()));
    identity_ = std::move(*identity);
    StartRead(&request_);
  }

  // Turns `request_` into `held_`.
  Result<> take_message() {
    grpc::Slice slice;
    if (!request_.DumpToSingleSlice(&slice).ok())
      return fail(Errc::kInvalid, "report: unreadable message");
    AISPM_TRY(auto message,
              decode_report({reinterpret_cast<const char*>(slice.begin()), slice.size()}));
    if (auto* const hello = std::get_if<pb::Hello>(&message)) return take_hello(std::move(*hello));
    if (!producer_) return fail(Errc::kInvalid, "report: the first message must be hello");
    AcceptedBatch accepted = accept_batch(std::get<RawBatch>(message), producer_);
    if (!accepted.first_problem.empty() && !was_refusal_logged_) {
      was_refusal_logged_ = true;  // once a stream; the number is in Ack and status
      log::warn("ingest.refused", {{"host_id", producer_->host_id},
                                   {"component", producer_->component},
                                   {"reason", accepted.first_problem},
                                   {"events", accepted.delivery->rejected}});
    }
    held_ = std::move(accepted.delivery);
    return {};
  }

  Result<> take_hello(pb::Hello hello) {
    if (producer_) return fail(Errc::kInvalid, "report: hello stands twice");
    AISPM_CHECK(check_hello(hello));
    producer_ = std::make_shared<const Producer>(
        Producer{identity_.tenant, identity_.host_id, identity_.component, std::move(hello)});
    surroundings_.links.add({producer_->host_id, producer_->component});
    held_ = std::make_unique<Delivery>();
    held_->producer = producer_;
    held_->is_hello = true;
    return {};
  }

  void offer() {
    if (!held_ || is_finished_ || pending_finish_) return;
    const bool is_taken = surroundings_.writer.offer(
        held_,
        [link = link_](const Delivery& delivery) {
          link->reach([&](ReportStream& stream) { stream.acknowledge(delivery); });
        },
        [link = link_] { link->reach([](ReportStream& stream) { stream.offer(); }); });
    if (!is_taken) return;
    held_.reset();
    ++unacknowledged_;
    read_on();
  }

  void read_on() {
    if (held_ || is_read_ended_ || is_finished_ || pending_finish_) return;
    if (unacknowledged_ >= limits::kMaxStreamBatches) {
      is_paused_ = true;
      return;
    }
    is_paused_ = false;
    request_.Clear();
    StartRead(&request_);
  }

  void acknowledge(const Delivery& delivery) {
    --unacknowledged_;
    pb::ReportReply reply;
    if (delivery.is_hello) {
      reply.mutable_hello()->set_acknowledged_sequence(delivery.acknowledged);
      reply.mutable_hello()->set_host_id(identity_.host_id);
    } else {
      reply.mutable_ack()->set_sequence(delivery.acknowledged);
      reply.mutable_ack()->set_rejected(delivery.rejected);
    }
    replies_.push_back(to_bytes(reply));
    write_next();
    if (is_paused_) read_on();
  }

  void write_next() {
    if (is_writing_ || is_finished_ || replies_.empty()) return;
    reply_ = std::move(replies_.front());
    replies_.pop_front();
    is_writing_ = true;
    StartWrite(&reply_);
  }

  void finish_when_quiet() {
    if (is_read_ended_ && unacknowledged_ == 0 && !held_ && replies_.empty() && !is_writing_)
      finish(grpc::Status::OK);
  }

  void finish(const grpc::Status& status) {
    if (is_finished_) return;
    if (is_writing_) {
      if (!pending_finish_) pending_finish_ = status;
      return;
    }
    is_finished_ = true;
    Finish(status);
  }

  const IngestSurroundings& surroundings_;
  std::atomic<std::size_t>& streams_;
  const std::shared_ptr<ReactorLink<ReportStream>> link_;
  pki::Identity identity_;
  std::shared_ptr<const Producer> producer_;
  ByteBuffer request_;
  ByteBuffer reply_;
  std::unique_ptr<Delivery> held_;  // read, and not yet taken by the writer
  std::deque<ByteBuffer> replies_;
  std::size_t unacknowledged_ = 0;
  bool is_paused_ = false;
  bool is_read_ended_ = false;
  bool is_writing_ = false;
  bool is_finished_ = false;
  bool was_refusal_logged_ = false;
  std::optional<grpc::Status> pending_finish_;
};

// Report is a raw method: its messages stay bytes until decode_report.
using Base = pb::Ingest::WithRawCallbackMethod_Report<pb::Ingest::WithCallbackMethod_WatchAgentKeys<
    pb::Ingest::WithCallbackMethod_WatchOrders<pb::Ingest::WithCallbackMethod_AckOrders<
        pb::Ingest::WithCallbackMethod_WatchPolicies<pb::Ingest::WithCallbackMethod_AckPolicies<
            pb::Ingest::WithCallbackMethod_WatchFreezes<pb::Ingest::WithCallbackMethod_AckFreezes<
                pb::Ingest::WithCallbackMethod_RequestApproval<
                    pb::Ingest::WithCallbackMethod_WatchApprovals<
                        pb::Ingest::WithCallbackMethod_UseApproval<pb::Ingest::Service>>>>>>>>>>>;

class IngestService final : public Base {
 public:
  explicit IngestService(IngestSurroundings surroundings)
      : surroundings_(std::move(surroundings)) {}

  grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>* Report(
      grpc::CallbackServerContext* context) override {
    return new ReportStream(surroundings_, streams_, identify(*context, surroundings_.tenant));
  }
  grpc::ServerWriteReactor<pb::AgentKeySnapshot>* WatchAgentKeys(
      grpc::CallbackServerContext* context, const pb::WatchAgentKeysRequest*) override {
    return make_key_watch(surroundings_, identify(*context, surroundings_.tenant));
  }
  grpc::ServerWriteReactor<pb::OrderSnapshot>* WatchOrders(grpc::CallbackServerContext* context,
                                                           const pb::WatchOrdersRequest*) override {
    return make_order_watch(surroundings_, identify(*context, surroundings_.tenant));
  }
  grpc::ServerUnaryReactor* AckOrders(grpc::CallbackServerContext* context,
                                      const pb::AckOrdersRequest* request,
                                      pb::AckOrdersReply*) override {
    auto* const reactor = context->DefaultReactor();
    answer_order_ack(surroundings_, identify(*context, surroundings_.tenant), *request, reactor);
    return reactor;
  }
  grpc::ServerWriteReactor<pb::PolicySnapshot>* WatchPolicies(
      grpc::CallbackServerContext* context, const pb::WatchPoliciesRequest*) override {
    return make_policy_watch(surroundings_, follower(*context));
  }
  grpc::ServerUnaryReactor* AckPolicies(grpc::CallbackServerContext* context,
                                        const pb::AckPoliciesRequest* request,
                                        pb::AckPoliciesReply*) override {
    auto* const reactor = context->DefaultReactor();
    answer_policy_ack(surroundings_, follower(*context), *request, reactor);
    return reactor;
  }
  grpc::ServerWriteReactor<pb::FreezeSnapshot>* WatchFreezes(
      grpc::CallbackServerContext* context, const pb::WatchFreezesRequest*) override {
    return make_freeze_watch(surroundings_, follower(*context));
  }
  grpc::ServerUnaryReactor* AckFreezes(grpc::CallbackServerContext* context,
                                       const pb::AckFreezesRequest* request,
                                       pb::AckFreezesReply*) override {
    auto* const reactor = context->DefaultReactor();
    answer_freeze_ack(surroundings_, follower(*context), *request, reactor);
    return reactor;
  }
  grpc::ServerUnaryReactor* RequestApproval(grpc::CallbackServerContext* context,
                                            const pb::RequestApprovalRequest* request,
                                            pb::Approval* reply) override {
    auto* const reactor = context->DefaultReactor();
    answer_approval_request(surroundings_, identify(*context, surroundings_.tenant), *request,
                            reply, reactor);
    return reactor;
  }
  grpc::ServerWriteReactor<pb::ApprovalSnapshot>* WatchApprovals(
      grpc::CallbackServerContext* context, const pb::WatchApprovalsRequest*) override {
    return make_approval_watch(surroundings_, identify(*context, surroundings_.tenant));
  }
  grpc::ServerUnaryReactor* UseApproval(grpc::CallbackServerContext* context,
                                        const pb::UseApprovalRequest* request,
                                        pb::Approval* reply) override {
    auto* const reactor = context->DefaultReactor();
    answer_approval_use(surroundings_, identify(*context, surroundings_.tenant), *request, reply,
                        reactor);
    return reactor;
  }

 private:
  Result<pki::Identity> follower(const grpc::ServerContextBase& context) const {
    AISPM_TRY(pki::Identity who, identify(context, surroundings_.tenant));
    return with_instance(std::move(who), context);
  }

  const IngestSurroundings surroundings_;
  std::atomic<std::size_t> streams_{0};
};

}  // namespace

std::unique_ptr<grpc::Service> make_ingest_service(IngestSurroundings surroundings) {
  return std::make_unique<IngestService>(std::move(surroundings));
}

}  // namespace aispm::collector
