// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "aispm/v1/ingest.pb.h"
#include "gateway/collector/ingest/validate.hpp"
#include "gateway/collector/store/event_writer.hpp"
#include "gateway/collector/store/reader.hpp"
#include "gateway/collector/store/registry.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::collector::test {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "aispm-collector-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The value, or a failed test with the message and an exception that ends it.
template <typename T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message;
    throw std::runtime_error(result.error().message);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 1'795'000'000 * kSecond;  // a moment in November 2026

inline WallTime at(double seconds) { return {kNow + static_cast<std::int64_t>(seconds * 1e9)}; }

inline pb::Event make_event(pb::Source source, double seconds) {
  pb::Event event;
  event.set_id(make_uuid());
  event.set_source(source);
  store::set_time(at(seconds).nanoseconds, event.mutable_time());
  return event;
}

inline pb::Event make_exec(std::uint32_t pid, std::uint64_t pid_namespace, double seconds) {
  pb::Event event = make_event(pb::SOURCE_SENSOR, seconds);
  event.mutable_process_exec();
  event.mutable_process()->set_pid(pid);
  event.mutable_process()->set_start_boottime_ns(pid * 1000ULL);
  event.mutable_process()->set_pid_namespace(pid_namespace);
  event.mutable_process()->set_exe("/usr/bin/python3");
  return event;
}

inline pb::Event make_call(pb::Source source, double seconds) {
  pb::Event event = make_event(source, seconds);
  event.mutable_llm_call()->set_provider("openai");
  event.mutable_llm_call()->set_host("api.openai.com");
  event.mutable_llm_call()->set_request_model("gpt-x");
  event.mutable_llm_call()->set_input_tokens(10);
  event.mutable_llm_call()->set_output_tokens(5);
  return event;
}

// A store in a folder of its own with one enrolled host and a writer; deliveries take the way of
// the wire.
class Bench {
 public:
  explicit Bench(store::DatabaseOptions options = {})
      : options_(options),
        database_(must(store::Database::open(folder_.path() + "/store.db", options))),
        registry_(database_),
        reader_(database_, "default") {
    must(database_.migrate());
    host_id_ = enrol("host-a", "machine-a");
    reopen();
  }

  std::string enrol(const std::string& hostname, const std::string& machine) {
    pb::EnrolRequest request;
    request.set_token(must(registry_.create_enrolment_token(0, "f00d", at(0))).token());
    request.set_component("sensord");
    request.set_hostname(hostname);
    request.set_machine_id(machine);
    return must(registry_.enrol(request, at(0),
                                [](const std::string&) { return Result<std::string>("pem"); }))
        .host_id;
  }

  // As after a restart: every cache is empty.
  void reopen() {
    writer_ = must(store::EventWriter::open(
        must(store::Database::open(folder_.path() + "/store.db", options_))));
  }

  std::shared_ptr<const Producer> producer(const std::string& component,
                                           const std::string& producer_id = "p1") const {
    Producer made{"default", host_id_, component, {}};
    made.hello.set_producer_id(producer_id + component);
    made.hello.set_hostname("host-a");
    return std::make_shared<const Producer>(std::move(made));
  }

  std::unique_ptr<Delivery> batch(const std::shared_ptr<const Producer>& from,
                                  std::uint64_t sequence, const std::vector<pb::Event>& events) {
    std::vector<std::string> bytes;
    for (const auto& event : events) bytes.push_back(event.SerializeAsString());
    RawBatch raw{sequence, 0, {bytes.begin(), bytes.end()}};
    return accept_batch(raw, from).delivery;
  }

  Result<> commit(std::unique_ptr<Delivery> delivery, double seconds = 0) {
    std::vector<std::unique_ptr<Delivery>> group;
    group.push_back(std::move(delivery));
    auto done = writer_->commit(group, at(seconds));
    last_ = std::move(group[0]);
    return done;
  }

  // One batch with the next sequence number of that component.
  void report(const std::string& component, const std::vector<pb::Event>& events) {
    must(commit(batch(producer(component), ++sequences_[component], events)));
  }

  void greet(const std::string& component, const std::string& boot_id) {
    Producer made{"default", host_id_, component, {}};
    made.hello.set_producer_id("p1" + component);
    made.hello.set_hostname("host-a");
    made.hello.mutable_host()->set_boot_id(boot_id);
    auto delivery = std::make_unique<Delivery>();
    delivery->producer = std::make_shared<const Producer>(std::move(made));
    delivery->is_hello = true;
    must(commit(std::move(delivery)));
  }

  std::int64_t count(const std::string& sql) {
    auto statement = must(database_.prepare(sql));
    return must(statement.step()) ? statement.integer(0) : 0;
  }

  store::Database& database() { return database_; }
  store::Reader& reader() { return reader_; }
  store::Registry& registry() { return registry_; }
  store::EventWriter& writer() { return *writer_; }
  const Delivery& last() const { return *last_; }
  const std::string& host_id() const { return host_id_; }
  std::string path() const { return folder_.path() + "/store.db"; }
  const std::string& folder() const { return folder_.path(); }

 private:
  TempFolder folder_;
  store::DatabaseOptions options_;
  store::Database database_;
  store::Registry registry_;
  store::Reader reader_;
  std::unique_ptr<store::EventWriter> writer_;
  std::unique_ptr<Delivery> last_;
  std::string host_id_;
  std::map<std::string, std::uint64_t> sequences_;
};

}  // namespace aispm::collector::test
