// SPDX-License-Identifier: Apache-2.0
// Events per second that the real collector takes over gRPC with TLS until each is acknowledged,
// that is, synced to disk. The client runs on the same cores; its batches are serialized
// beforehand, a part at a time; making them is not measured.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <thread>

#include "aispm/v1/ingest.grpc.pb.h"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/pki.hpp"
#include "tests/system/collector/daemon.hpp"

namespace {

using namespace aispm;
namespace pb = aispm::v1;

constexpr std::uint64_t kParts = 5;
constexpr std::uint64_t kBatches = 800;  // of a part
constexpr std::uint64_t kBatchEvents = 512;
constexpr double kTarget = 50'000;

std::string between(const std::string& text, const std::string& from) {
  const auto begin = text.find(from) + from.size();
  return text.substr(begin, text.find('"', begin) - begin);
}

// What makes the inventory: connections of agents, names, tool calls, coverage, assets.
void add_finding(pb::Event& event, std::uint64_t number) {
  event.set_agent_id("alice/agent" + std::to_string(number % 40));
  event.mutable_process()->set_pid(static_cast<std::uint32_t>(number % 40 + 1));
  event.mutable_process()->set_start_boottime_ns(number % 40 * 1000);
  const std::string name = "service" + std::to_string(number % 200) + ".example";
  switch (number / 10 % 5) {
    case 0:
      event.mutable_name_seen()->set_name(name);
      event.mutable_name_seen()->set_source("sni");
      event.mutable_name_seen()->add_addresses("192.0.2." + std::to_string(number % 200));
      return;
    case 1:
      event.mutable_mcp_call()->set_transport("stdio");
      event.mutable_mcp_call()->set_method("tools/call");
      event.mutable_mcp_call()->set_tool("tool" + std::to_string(number % 30));
      event.mutable_mcp_call()->set_server_name("server" + std::to_string(number % 7));
      return;
    case 2:
      event.mutable_tls_coverage()->set_wire_bytes(number);
      event.mutable_tls_coverage()->set_plaintext_bytes(number / 2);
      event.mutable_tls_coverage()->add_gaps()->set_reason("no probe site");
      return;
    case 3:
      event.mutable_asset()->set_asset_id("asset" + std::to_string(number % 300));
      event.mutable_asset()->set_kind("model_server");
      event.mutable_asset()->add_evidence()->set_value("11434");
      return;
    default:
      event.mutable_socket_close()->set_destination_address("192.0.2." +
                                                            std::to_string(number % 200));
      event.mutable_socket_close()->set_destination_port(443);
      event.mutable_socket_close()->set_name(name);
      return;
  }
}

// What a busy host reports: processes come, connect and go; one event in fifty is an LLM call, one
// in ten is a finding of the sensor.
pb::Event make_event(std::uint64_t number) {
  pb::Event event;
  event.set_id(make_uuid());
  const WallTime now = wall_now();
  event.mutable_time()->set_seconds(now.nanoseconds / 1'000'000'000);
  event.mutable_time()->set_nanos(static_cast<std::int32_t>(now.nanoseconds % 1'000'000'000));
  auto& process = *event.mutable_process();
  process.set_pid(static_cast<std::uint32_t>(number % 30000 + 1));
  process.set_start_boottime_ns(number * 1000);
  process.set_uid(1000);
  process.set_user("alice");
  process.set_comm("python3");
  process.set_exe("/usr/bin/python3.11");
  process.add_argv("python3");
  process.add_argv("/home/alice/project/agent.py");
  process.set_pid_namespace(0xEFFFFFFC);
  if (number % 50 == 0) {
    auto& call = *event.mutable_llm_call();
    call.set_provider("openai");
    call.set_host("api.openai.com");
    call.set_request_model("gpt-4o");
    call.set_input_tokens(1200);
    call.set_output_tokens(300);
    call.set_prompt_sha256(std::string(64, 'a'));
    event.set_trace_id(make_trace_id());
  } else if (number % 10 == 1) {
    add_finding(event, number);
  } else if (number % 3 == 0) {
    event.mutable_process_exec();
  } else if (number % 3 == 1) {
    event.mutable_process_exit();
  } else {
    event.mutable_socket_connect()->set_destination_address("192.0.2.10");
    event.mutable_socket_connect()->set_destination_port(443);
  }
  return event;
}

std::shared_ptr<grpc::Channel> enrolled_channel(collector::test::Daemon& daemon) {
  const std::string made = daemon.run({"bootstrap", "--config", daemon.config()}).second;
  const std::string ca = read_file(between(made, "\"ca_file\":\""), 1U << 16).value();
  daemon.start();
  const std::string address = "localhost:" + std::to_string(daemon.grpc_port);
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ca;
  const Secret key = pki::make_key().value();
  pb::EnrolRequest request;
  request.set_token(between(made, "\"enrolment_token\":\""));
  request.set_certificate_request_pem(pki::make_request(key, "bench").value());
  request.set_component("sensord");
  request.set_hostname("bench");
  pb::EnrolReply reply;
  grpc::ClientContext context;
  const auto status =
      pb::Enrolment::NewStub(grpc::CreateChannel(address, grpc::SslCredentials(options)))
          ->Enrol(&context, request, &reply);
  if (!status.ok()) throw std::runtime_error(status.error_message());
  options.pem_private_key = std::string(key.expose());
  options.pem_cert_chain = reply.certificate_pem();
  return grpc::CreateChannel(address, grpc::SslCredentials(options));
}

// Makes what part number `part` sends.
std::vector<pb::ReportRequest> make_part(std::uint64_t part) {
  std::vector<pb::ReportRequest> batches(kBatches);
  for (std::uint64_t i = 0; i < kBatches; ++i) {
    const std::uint64_t before = part * kBatches + i;
    batches[i].mutable_batch()->set_sequence(before + 1);
    for (std::uint64_t k = 0; k < kBatchEvents; ++k)
      *batches[i].mutable_batch()->add_events() = make_event(before * kBatchEvents + k);
  }
  return batches;
}

// Seconds from the first batch of each part to its last Ack, all parts together.
double measure(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  const auto stub = pb::Ingest::NewStub(channel);
  const auto stream = stub->Report(&context);
  pb::ReportRequest hello;
  hello.mutable_hello()->set_producer_id("bench");
  pb::ReportReply reply;
  if (!stream->Write(hello) || !stream->Read(&reply)) throw std::runtime_error("no hello");
  std::chrono::duration<double> took{};
  for (std::uint64_t part = 0; part < kParts; ++part) {
    const std::vector<pb::ReportRequest> batches = make_part(part);
    const auto begin = std::chrono::steady_clock::now();
    std::thread writer([&] {
      for (const auto& batch : batches)
        if (!stream->Write(batch)) return;
    });
    bool is_whole = true;
    while (is_whole && reply.ack().sequence() < batches.back().batch().sequence())
      is_whole = stream->Read(&reply);
    writer.join();
    if (!is_whole) throw std::runtime_error("the stream broke");
    took += std::chrono::steady_clock::now() - begin;
  }
  stream->WritesDone();
  return took.count();
}

}  // namespace

int main() {
  try {
    collector::test::Daemon daemon;
    const auto channel = enrolled_channel(daemon);
    const auto events = static_cast<double>(kParts * kBatches * kBatchEvents);
    const double rate = events / measure(channel);
    std::printf(
        "{\"name\":\"collector.ingest\",\"value\":%.0f,\"unit\":\"events/"
        "s\",\"target\":%.0f,\"ok\":%s}\n",
        rate, kTarget, rate >= kTarget ? "true" : "false");
    const double bytes = static_cast<double>(std::filesystem::file_size(daemon.store()));
    std::printf(
        "{\"name\":\"collector.bytes_per_event\",\"value\":%.0f,\"unit\":\"bytes\",\"target\":null,"
        "\"ok\":null}\n",
        bytes / events);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_collector: %s\n", error.what());
    return 1;
  }
}
