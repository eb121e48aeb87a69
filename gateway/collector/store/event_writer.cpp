// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/event_writer.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "gateway/collector/inventory/run_ends.hpp"
#include "gateway/collector/store/approval_book.hpp"

namespace aispm::collector::store {
namespace {

// Byte for byte the same for the same content: protobuf writes maps in an order of its own
// otherwise.
std::string serialize_stably(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream output(&stream);
  output.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&output);
  output.Trim();
  return bytes;
}

std::optional<std::string> trace_bytes(std::string_view hex) {
  if (hex.size() != 32) return std::nullopt;
  std::string bytes;
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(value(hex[i]) << 4 | value(hex[i + 1]));
  return bytes;
}

}  // namespace

EventWriter::EventWriter(Database database)
    : database_(std::move(database)),
      refs_(database_),
      sessions_(database_),
      boundaries_(database_),
      processes_(database_),
      tally_(database_, refs_),
      fleet_(database_) {}

Result<std::unique_ptr<EventWriter>> EventWriter::open(Database database) {
  return std::unique_ptr<EventWriter>(new EventWriter(std::move(database)));
}

Result<> EventWriter::commit(std::span<const std::unique_ptr<Delivery>> group, WallTime now) {
  auto done = try_commit(group, now);
  if (done) return done;
  // Rows made in the transaction are gone: forget their numbers.
  refs_.forget();
  sessions_.forget();
  tally_.forget();
  fleet_.forget();
  stored_ = duplicates_ = rejected_ = 0;
  return done;
}

Result<> EventWriter::try_commit(std::span<const std::unique_ptr<Delivery>> group, WallTime now) {
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  for (const auto& delivery : group) {
    if (delivery->is_hello) AISPM_CHECK(admit(*delivery->producer, now));
    AISPM_TRY(const std::int64_t host, refs_.host(delivery->producer->host_id));
    if (delivery->is_hello) {
      AISPM_CHECK(greet(*delivery, host, now));
    } else {
      AISPM_CHECK(write_batch(*delivery, host, now));
    }
  }
  AISPM_CHECK(tally_.flush(now));
  AISPM_CHECK(fleet_.flush());
  AISPM_CHECK(add_counter("events", stored_));
  AISPM_CHECK(add_counter("duplicates", duplicates_));
  AISPM_CHECK(add_counter("rejected", rejected_));
  AISPM_CHECK(transaction.commit());
  stored_ = duplicates_ = rejected_ = 0;
  return {};
}

Result<> EventWriter::add_counter(std::string_view name, std::uint64_t amount) {
  if (amount == 0) return {};
  return raise_counter(database_, name, amount);
}

Result<> EventWriter::admit(const Producer& producer, WallTime now) {
  // The certificate proves the host even if this store is younger than it (restored, or begun
  // anew).
  const std::string& machine = producer.hello.host().machine_id();
  for (const std::string& identity : {"machine:" + machine, "certificate:" + producer.host_id}) {
    if (identity == "machine:") continue;
    AISPM_CHECK(
        run_sql(database_,
                "INSERT OR IGNORE INTO hosts (host_id, identity, hostname, first_seen, last_seen) "
                "VALUES (?1,?2,?3,?4,?4)",
                producer.host_id, identity, producer.hello.hostname(), now.nanoseconds));
  }
  return {};
}

Result<> EventWriter::greet(Delivery& delivery, std::int64_t host, WallTime now) {
  const Producer& producer = *delivery.producer;
  const pb::Hello& hello = producer.hello;
  const pb::HostFacts& facts = hello.host();
  if (producer.component == "sensord" && !facts.boot_id().empty()) {
    AISPM_TRY(Statement* const booted,
              database_.cached("SELECT 1 FROM hosts WHERE ref=? AND boot_id<>'' AND boot_id<>?"));
    AISPM_TRY(const bool is_new_boot, booted->bind(host, facts.boot_id()).step());
    booted->reset();
    if (is_new_boot) AISPM_CHECK(processes_.reboot(host));
  }
  // Empty facts do not erase known ones.
  AISPM_CHECK(run_sql(
      database_,
      "UPDATE hosts SET hostname=IFNULL(NULLIF(?2,''),hostname), os=IFNULL(NULLIF(?3,''),os), "
      "kernel=IFNULL(NULLIF(?4,''),kernel), architecture=IFNULL(NULLIF(?5,''),architecture), "
      "boot_id=IFNULL(NULLIF(?6,''),boot_id), last_seen=MAX(last_seen, ?7) WHERE ref=?1",
      host, hello.hostname(), facts.os(), facts.kernel(), facts.architecture(), facts.boot_id(),
      now.nanoseconds));
  AISPM_CHECK(run_sql(database_, "INSERT OR IGNORE INTO producers (host, producer_id) VALUES (?,?)",
                      host, hello.producer_id()));
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT acknowledged FROM producers WHERE host=? AND producer_id=?"));
  AISPM_TRY(const bool is_row, find->bind(host, hello.producer_id()).step());
  delivery.acknowledged = is_row ? find->count(0) : 0;
  find->reset();
  return run_sql(database_,
                 "INSERT INTO components (host, component, version, hostname, last_seen, "
                 "acknowledged) VALUES (?,?,?,?,?,?) "
                 "ON CONFLICT DO UPDATE SET version=excluded.version, hostname=excluded.hostname, "
                 "last_seen=excluded.last_seen, acknowledged=excluded.acknowledged",
                 host, producer.component, hello.version(), hello.hostname(), now.nanoseconds,
                 delivery.acknowledged);
}

Result<> EventWriter::write_batch(Delivery& delivery, std::int64_t host, WallTime now) {
  const Producer& producer = *delivery.producer;
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT acknowledged FROM producers WHERE host=? AND producer_id=?"));
  AISPM_TRY(const bool is_row, find->bind(host, producer.hello.producer_id()).step());
  const std::uint64_t acknowledged = is_row ? find->count(0) : 0;
  find->reset();
  delivery.acknowledged = std::max(acknowledged, delivery.sequence);
  if (delivery.sequence <= acknowledged) {  // delivered before: its Ack was lost on the way
    duplicates_ += delivery.events.size();
    return {};
  }
  for (IncomingEvent& event : delivery.events) AISPM_CHECK(write_event(producer, event, host));
  rejected_ += delivery.rejected;
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO producers (host, producer_id, acknowledged) VALUES (?,?,?) "
                      "ON CONFLICT DO UPDATE SET acknowledged=excluded.acknowledged",
                      host, producer.hello.producer_id(), delivery.sequence));
  return run_sql(
      database_,
      "UPDATE components SET last_seen=?, acknowledged=?, lost=lost+?, rejected=rejected+? "
      "WHERE host=? AND component=?",
      now.nanoseconds, delivery.sequence, delivery.lost_before, delivery.rejected, host,
      producer.component);
}

Result<> EventWriter::write_event(const Producer& producer, IncomingEvent& incoming,
                                  std::int64_t host) {
  incoming.is_stored = false;
  if (incoming.event->body_case() == pb::Event::kComponentHealth) {
    AISPM_TRY(const bool is_change,
              note_health(producer, incoming.event->component_health(), host));
    if (!is_change) return {};
  }
  AISPM_TRY(const Ids ids, resolve(incoming, host));
  AISPM_CHECK(tell_drift(incoming, ids));
  AISPM_TRY(incoming.is_stored, insert_event(incoming, ids));
  if (!incoming.is_stored) {
    ++duplicates_;
    return {};
  }
  ++stored_;
  return derive(incoming, ids, database_.last_row());
}

Result<> EventWriter::tell_drift(IncomingEvent& incoming, const Ids& ids) {
  if (incoming.event->body_case() != pb::Event::kSandboxStart || !ids.agent) return {};
  AISPM_TRY(const auto drift, boundaries_.compare(*ids.agent, ids.host,
                                                  incoming.event->sandbox_start(), incoming.time));
  if (!drift) return {};
  *incoming.event->add_detections() = *drift;
  pb::Event stored;
  if (!stored.ParseFromString(incoming.body))
    return fail(Errc::kInternal, "an event's body cannot be read back");
  *stored.add_detections() = *drift;
  incoming.body = stored.SerializeAsString();
  return {};
}

Result<bool> EventWriter::note_health(const Producer& producer, const pb::ComponentHealth& health,
                                      std::int64_t host) {
  pb::ComponentHealth notable = health;
  notable.clear_counters();  // they move all the time; the rest is news
  const std::string news = serialize_stably(notable);
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT 1 FROM components WHERE host=? AND component=? AND noted=?"));
  AISPM_TRY(const bool is_known, find->bind(host, producer.component, Blob{news}).step());
  find->reset();
  const std::string all = health.SerializeAsString();
  AISPM_CHECK(run_sql(database_,
                      "UPDATE components SET health=?, noted=? WHERE host=? AND component=?",
                      Blob{all}, Blob{news}, host, producer.component));
  return !is_known;
}

Result<EventWriter::Ids> EventWriter::resolve(IncomingEvent& incoming, std::int64_t host) {
  pb::Event& event = *incoming.event;
  Ids ids{host, std::nullopt, std::nullopt};
  if (event.source() == pb::SOURCE_SENSOR && event.process().pid_namespace() != 0 &&
      event.process().pid_namespace() != inventory::kInitialPidNamespace) {
    AISPM_TRY(const auto owner,
              sessions_.owner_of(host, event.process().pid_namespace(), incoming.time));
    if (owner) {
      event.set_session_id(owner->session_id);
      event.set_agent_id(owner->agent_id);
      ids.session = owner->session;
      ids.agent = owner->agent;
      return ids;
    }
  }
  if (!event.agent_id().empty()) {
    AISPM_TRY(ids.agent, refs_.agent(event.agent_id(), incoming.time));
  }
  if (!event.session_id().empty()) {
    AISPM_TRY(ids.session,
              sessions_.find_or_make(event.session_id(), host, ids.agent, incoming.time));
  }
  return ids;
}

Result<bool> EventWriter::insert_event(const IncomingEvent& incoming, const Ids& ids) {
  const pb::Event& event = *incoming.event;
  AISPM_TRY(
      Statement* const insert,
      database_.cached(
          "INSERT INTO events (id, host, time, kind, source, agent, session, trace, pid_namespace, "
          "process_start, outcome, detections, body) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) "
          "ON CONFLICT DO NOTHING"));
  const auto trace = trace_bytes(event.trace_id());
  std::optional<Blob> trace_blob;
  if (trace) trace_blob = Blob{*trace};
  std::optional<std::int64_t> space;
  std::optional<std::int64_t> start;
  if (event.has_process()) {
    if (const auto inode = event.process().pid_namespace();
        inode != 0 && inode != inventory::kInitialPidNamespace)
      space = static_cast<std::int64_t>(inode);
    start = static_cast<std::int64_t>(event.process().start_boottime_ns());
  }
  std::optional<int> outcome;
  if (event.has_decision()) outcome = static_cast<int>(event.decision().outcome());
  insert->bind(Blob{{incoming.id.data(), incoming.id.size()}}, ids.host, incoming.time.nanoseconds,
               static_cast<int>(event.body_case()), static_cast<int>(event.source()), ids.agent,
               ids.session, trace_blob, space, start, outcome, event.detections_size(),
               Blob{incoming.body});
  AISPM_CHECK(insert->run());
  return database_.changes() == 1;
}

Result<> EventWriter::derive(const IncomingEvent& incoming, const Ids& ids, std::int64_t seq) {
  const pb::Event& event = *incoming.event;
  const inventory::Concern concern{seq, ids.host, ids.agent, ids.session, incoming.time};
  AISPM_CHECK(tally_.add(concern, event));
  AISPM_CHECK(fleet_.add(concern, event));
  switch (event.body_case()) {
    case pb::Event::kSandboxStart:
      if (ids.agent)
        AISPM_CHECK(boundaries_.keep(*ids.agent, ids.host, event.sandbox_start(), incoming.time));
      AISPM_CHECK(sessions_.begin(*ids.session, ids.host, event.sandbox_start(), incoming.time));
      return inventory::end_with_known_init(database_, sessions_, *ids.session, ids.host,
                                            event.sandbox_start(), incoming.time);
    case pb::Event::kSandboxExit:
      return sessions_.end(*ids.session, event.sandbox_exit(), incoming.time);
    case pb::Event::kProcessExit:
      if (event.source() == pb::SOURCE_SENSOR && ids.session)
        AISPM_CHECK(inventory::end_with_init(database_, sessions_, *ids.session, event.process(),
                                             event.process_exit(), incoming.time));
      return processes_.exit(ids.host, event.process(), incoming.time);
    case pb::Event::kLlmCall:
    case pb::Event::kAiUse: {
      if (event.source() != pb::SOURCE_SENSOR || !event.has_process()) return {};
      std::optional<inventory::Sessions::Owner> owner;
      if (ids.session) owner = inventory::Sessions::Owner{*ids.session, ids.agent, {}, {}};
      return processes_.see(ids.host, event, incoming.time, owner);
    }
    default:
      return {};
  }
}

Result<std::uint64_t> EventWriter::retain(WallTime oldest, std::uint64_t max_bytes,
                                          std::uint32_t limit) {
  AISPM_TRY(const std::uint64_t used, database_.used_bytes());
  const std::int64_t bound = used > max_bytes ? INT64_MAX : oldest.nanoseconds;
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_CHECK(database_.execute("CREATE TEMP TABLE IF NOT EXISTS old (seq INTEGER PRIMARY KEY)"));
  AISPM_CHECK(database_.execute("DELETE FROM temp.old"));
  AISPM_CHECK(run_sql(
      database_, "INSERT INTO temp.old SELECT seq FROM events WHERE time<? ORDER BY time LIMIT ?",
      bound, limit));
  const auto deleted = static_cast<std::uint64_t>(database_.changes());
  // What the inventory forgets depends on age alone.
  AISPM_CHECK(fleet_.retain(oldest, limit));
  AISPM_CHECK(forget_approvals(database_, oldest, wall_now(), limit));
  if (deleted == 0) {
    AISPM_CHECK(transaction.commit());
    return 0;
  }
  for (const char* const sql :
       {"DELETE FROM calls WHERE event IN (SELECT seq FROM temp.old)",
        "DELETE FROM verdicts WHERE event IN (SELECT seq FROM temp.old)",
        "DELETE FROM detections WHERE event IN (SELECT seq FROM temp.old)",
        "DELETE FROM events WHERE seq IN (SELECT seq FROM temp.old)",
        "DELETE FROM event_counts WHERE minute < IFNULL((SELECT MIN(time) FROM events), "
        "9223372036854775807) / 60000000000",
        "UPDATE counters SET value=value-(SELECT COUNT(*) FROM temp.old) WHERE name='events'"})
    AISPM_CHECK(database_.execute(sql));
  AISPM_CHECK(add_counter("retention_deleted", deleted));
  AISPM_CHECK(transaction.commit());
  return deleted;
}

}  // namespace aispm::collector::store
