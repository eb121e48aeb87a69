// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "gateway/collector/embedded.hpp"
#include "gateway/collector/store/notice_box.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

using testing::HasSubstr;

TEST(Database, MigratesAnEmptyFileToTheNewestSchema) {
  Bench bench;
  EXPECT_EQ(must(bench.database().schema_version()), store::newest_schema());
  EXPECT_GE(store::newest_schema(), 1U);
}

// Another process that closes the file asks by these locks whether it is the last: then it removes
// the log, and what is written to it afterwards is lost with the next crash.
TEST(Database, KeepsItsLocksWhenAnotherConnectionIsOpened) {
  const TempFolder folder;
  const std::string path = folder.path() + "/store.db";
  auto first = must(store::Database::open(path));
  must(first.migrate());
  const auto second = must(store::Database::open(path));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct flock wanted {};
    wanted.l_type = F_WRLCK;
    wanted.l_whence = SEEK_SET;
    ::_exit(file >= 0 && ::fcntl(file, F_GETLK, &wanted) == 0 && wanted.l_type != F_UNLCK ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "no lock is held on the store";
}

TEST(Database, MigratingTwiceChangesNothing) {
  Bench bench;
  bench.report("sensord", {make_exec(7, 0, 0)});
  must(bench.database().migrate());
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 1);
}

// What version 10 knew of who was told is kept: nobody is told twice, and nobody is forgotten.
TEST(Database, MigratesAStoreOfVersion10WithOpenApprovals) {
  const TempFolder folder;
  auto database = must(store::Database::open(folder.path() + "/store.db"));
  for (std::size_t i = 0; i < 10; ++i)
    must(database.execute(std::string(embedded_migrations().at(i).content).c_str()));
  auto application = must(Bench().database().prepare("PRAGMA application_id"));
  ASSERT_TRUE(must(application.step()));
  must(database.execute(
      ("PRAGMA user_version=10; PRAGMA application_id=" + std::to_string(application.integer(0)))
          .c_str()));
  const auto add = [&](const char* id, pb::ApprovalState state, const char* due, int tries) {
    pb::Approval approval;
    approval.set_id(id);
    approval.set_state(state);
    must(store::run_sql(database,
                        "INSERT INTO approvals (approval_id, agent_id, session_id, digest, state, "
                        "body, expires, changed, notice_tries) VALUES (?,'a','s',?1,?,?,?,0,?)",
                        id, static_cast<int>(state), store::Blob{approval.SerializeAsString()},
                        at(3600).nanoseconds, tries));
    must(database.execute(
        ("UPDATE approvals SET notice_due=" + std::string(due) + " WHERE approval_id='" + id + "'")
            .c_str()));
  };
  add("told", pb::APPROVAL_STATE_PENDING, "NULL", 0);
  add("new", pb::APPROVAL_STATE_ESCALATED, "1", 0);
  add("tried", pb::APPROVAL_STATE_TAKEN_OVER, std::to_string(at(60).nanoseconds).c_str(), 3);
  add("closed", pb::APPROVAL_STATE_DENIED, "NULL", 0);
  must(database.migrate());
  EXPECT_EQ(must(database.schema_version()), store::newest_schema());

  store::NoticeBox box(database, "notify");
  must(box.forget_unwanted());
  EXPECT_EQ(must(box.waiting(at(0))).count, 2U);
  auto notice = must(box.next(at(0)));
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->approval.id(), "new");
  EXPECT_EQ(notice->tries, 0);
  must(box.mark_taken(*notice));
  EXPECT_FALSE(must(box.next(at(0))));
  EXPECT_EQ(must(box.waiting(at(0))).due->nanoseconds, at(60).nanoseconds);
  notice = must(box.next(at(60)));
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->approval.id(), "tried");
  EXPECT_EQ(notice->tries, 3);
  // A receiver that came with a later version is told of all that is open.
  EXPECT_EQ(must(store::NoticeBox(database, "other").waiting(at(0))).count, 3U);
}

TEST(Database, RefusesASchemaNewerThanItKnows) {
  Bench bench;
  must(bench.database().execute("PRAGMA user_version=99"));
  const auto done = bench.database().migrate();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::kUnsupported);
  EXPECT_THAT(done.error().message, HasSubstr("99"));
}

TEST(Database, RefusesADatabaseOfAnotherProgram) {
  const TempFolder folder;
  auto database = must(store::Database::open(folder.path() + "/other.db"));
  must(database.execute("CREATE TABLE theirs (x)"));
  const auto done = database.migrate();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::kUnsupported);
}

TEST(Database, RefusesAFileThatIsNoDatabase) {
  const TempFolder folder;
  std::ofstream(folder.path() + "/junk.db") << std::string(20000, 'x');
  EXPECT_FALSE(store::Database::open(folder.path() + "/junk.db"));
}

TEST(Database, SyncsItsLogAtEveryCommit) {
  Bench bench;
  EXPECT_EQ(bench.count("PRAGMA synchronous"), 2);  // FULL
  auto statement = must(bench.database().prepare("PRAGMA journal_mode"));
  ASSERT_TRUE(must(statement.step()));
  EXPECT_EQ(statement.text(0), "wal");
}

TEST(EventWriter, StoresAnEventAsItWasReported) {
  Bench bench;
  pb::Event event = make_call(pb::SOURCE_GATEWAY, 1);
  event.set_agent_id("alice/bot");
  event.set_session_id("5e551010-0000-7000-8000-000000000001");
  event.set_trace_id(std::string(32, 'a'));
  event.set_tenant("forged");
  event.set_host_id("forged");
  bench.report("gateway", {event});
  event.set_tenant("default");
  event.set_host_id(bench.host_id());
  const pb::Event stored = must(bench.reader().event(event.id()));
  EXPECT_EQ(stored.DebugString(), event.DebugString());
}

TEST(EventWriter, StoresAnIdOnceHoweverOftenItIsDelivered) {
  Bench bench;
  const pb::Event event = make_exec(7, 0, 0);
  bench.report("sensord", {event, event});
  bench.report("sensord", {event});
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 1);
  pb::Status status;
  must(bench.reader().status(&status));
  EXPECT_EQ(status.store().events(), 1U);
  EXPECT_EQ(status.store().duplicates_ignored(), 2U);
}

TEST(EventWriter, IgnoresABatchThatIsDurableAlreadyAndAcknowledgesItAgain) {
  Bench bench;
  const auto from = bench.producer("sensord");
  must(bench.commit(bench.batch(from, 1, {make_exec(1, 0, 0)})));
  must(bench.commit(bench.batch(from, 2, {make_exec(2, 0, 0)})));
  must(bench.commit(bench.batch(from, 1, {make_exec(3, 0, 0)})));
  EXPECT_EQ(bench.last().acknowledged, 2U);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 2);
}

TEST(EventWriter, CountsSequencesOfEachProducerApart) {
  Bench bench;
  must(bench.commit(bench.batch(bench.producer("sensord", "old"), 9, {make_exec(1, 0, 0)})));
  must(bench.commit(bench.batch(bench.producer("sensord", "new"), 1, {make_exec(2, 0, 0)})));
  EXPECT_EQ(bench.last().acknowledged, 1U);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 2);
}

TEST(EventWriter, TellsAReturningProducerWhatIsDurable) {
  Bench bench;
  must(bench.commit(bench.batch(bench.producer("sensord"), 5, {make_exec(1, 0, 0)})));
  bench.reopen();
  bench.greet("sensord", "boot-1");
  EXPECT_EQ(bench.last().acknowledged, 5U);
}

TEST(EventWriter, AnotherHostCannotMakeAnEventLookLikeARepetition) {
  Bench bench;
  const pb::Event event = make_exec(7, 0, 0);
  Producer other{"default", bench.enrol("host-b", "machine-b"), "sensord", {}};
  other.hello.set_producer_id("evil");
  must(bench.commit(bench.batch(std::make_shared<const Producer>(other), 1, {event})));
  bench.report("sensord", {event});
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 2);
}

TEST(EventWriter, AdmitsAHostWhoseCertificateIsOlderThanTheStore) {
  Bench bench;
  Producer stranger{"default", make_uuid(), "sensord", {}};
  stranger.hello.set_producer_id("p");
  stranger.hello.set_hostname("returned");
  stranger.hello.mutable_host()->set_machine_id("machine-z");
  auto hello = std::make_unique<Delivery>();
  hello->producer = std::make_shared<const Producer>(stranger);
  hello->is_hello = true;
  must(bench.commit(std::move(hello)));
  must(bench.commit(
      bench.batch(std::make_shared<const Producer>(stranger), 1, {make_exec(1, 0, 0)})));
  EXPECT_EQ(bench.count("SELECT events FROM hosts WHERE hostname='returned'"), 1);
}

TEST(EventWriter, KeepsOnlyTheLastHealthAndItsChanges) {
  Bench bench;
  bench.greet("sensord", "boot-1");
  pb::Event health = make_event(pb::SOURCE_SENSOR, 0);
  health.mutable_component_health()->set_component("sensord");
  health.mutable_component_health()->set_state("ok");
  (*health.mutable_component_health()->mutable_counters())["events"] = 1;
  bench.report("sensord", {health});
  for (std::uint64_t i = 2; i < 5; ++i) {
    health.set_id(make_uuid());
    (*health.mutable_component_health()->mutable_counters())["events"] = i;
    bench.report("sensord", {health});
  }
  health.set_id(make_uuid());
  health.mutable_component_health()->set_state("degraded");
  bench.report("sensord", {health});
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 2);
}

TEST(EventWriter, ShowsTheLastHealthInStatus) {
  Bench bench;
  bench.greet("sensord", "boot-1");
  pb::Event health = make_event(pb::SOURCE_SENSOR, 0);
  (*health.mutable_component_health()->mutable_losses())["ring_full"] = 3;
  bench.report("sensord", {health});
  pb::Status status;
  must(bench.reader().status(&status));
  ASSERT_EQ(status.components_size(), 1);
  EXPECT_EQ(status.components(0).health().losses().at("ring_full"), 3U);
  EXPECT_EQ(status.components(0).acknowledged_sequence(), 1U);
}

TEST(EventWriter, CountsRefusedAndLostEventsOfAComponent) {
  Bench bench;
  bench.greet("sensord", "boot-1");
  auto delivery = bench.batch(bench.producer("sensord"), 1, {pb::Event(), make_exec(1, 0, 0)});
  delivery->lost_before = 40;
  must(bench.commit(std::move(delivery)));
  pb::Status status;
  must(bench.reader().status(&status));
  EXPECT_EQ(status.store().rejected(), 1U);
  EXPECT_EQ(status.components(0).lost_events(), 40U);
}

// A full disk, made of SQLite's own limit: the group fails whole, nothing is half there, and it
// works again with room.
TEST(EventWriter, FailsWholeWhenTheDiskIsFullAndRecovers) {
  Bench bench({.max_pages = 130});
  std::vector<pb::Event> events;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    events.push_back(make_exec(i + 1, 0, 0));
    events.back().mutable_process()->add_argv(std::string(500, 'x'));
  }
  const auto from = bench.producer("sensord");
  auto delivery = bench.batch(from, 1, events);
  std::vector<std::unique_ptr<Delivery>> group;
  group.push_back(std::move(delivery));
  const auto full = bench.writer().commit(group, at(0));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Errc::kExhausted);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 0);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM producers"), 0);

  auto roomy = must(store::EventWriter::open(must(store::Database::open(bench.path()))));
  must(roomy->commit(group, at(1)));
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 2000);
  EXPECT_EQ(group[0]->acknowledged, 1U);
}

TEST(EventWriter, RepeatsAFailedGroupWithoutDoublingTheInventory) {
  Bench bench({.max_pages = 130});
  std::vector<pb::Event> events;
  for (int i = 0; i < 600; ++i) {
    events.push_back(make_call(pb::SOURCE_GATEWAY, 0));
    events.back().set_agent_id("bot");
    events.back().mutable_llm_call()->set_prompt_text(std::string(1000, 'p'));
  }
  std::vector<std::unique_ptr<Delivery>> group;
  group.push_back(bench.batch(bench.producer("gateway"), 1, events));
  ASSERT_FALSE(bench.writer().commit(group, at(0)));
  ASSERT_FALSE(bench.writer().commit(group, at(0)));
  auto roomy = must(store::EventWriter::open(must(store::Database::open(bench.path()))));
  must(roomy->commit(group, at(1)));
  EXPECT_EQ(bench.count("SELECT llm_calls FROM agents WHERE agent_id='bot'"), 600);
}

TEST(EventWriter, CountsAShadowCallForItsProviderAndNotForTheAgent) {
  Bench bench;
  std::vector<pb::Event> events{make_call(pb::SOURCE_GATEWAY, 0), make_call(pb::SOURCE_GATEWAY, 1)};
  for (pb::Event& event : events) event.set_agent_id("bot");
  events[1].mutable_llm_call()->set_shadow_of(events[0].id());
  bench.report("gateway", events);
  EXPECT_EQ(bench.count("SELECT llm_calls FROM agents WHERE agent_id='bot'"), 1);
  EXPECT_EQ(bench.count("SELECT output_tokens FROM agents WHERE agent_id='bot'"), 5);
  EXPECT_EQ(bench.count("SELECT calls FROM providers WHERE provider='openai'"), 2);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM calls WHERE agent IS NULL"), 1);
}

TEST(Retention, DeletesWhatIsOlderThanItsLimitAndCountsIt) {
  Bench bench;
  bench.report("sensord", {make_exec(1, 0, -7200), make_exec(2, 0, -7100), make_exec(3, 0, 0)});
  EXPECT_EQ(must(bench.writer().retain(at(-3600), UINT64_MAX, 100)), 2U);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 1);
  pb::Status status;
  must(bench.reader().status(&status));
  EXPECT_EQ(status.store().deleted_by_retention(), 2U);
  EXPECT_EQ(status.store().events(), 1U);
}

TEST(Retention, DeletesTheOldestWhenTheStoreIsTooLarge) {
  Bench bench;
  bench.report("sensord", {make_exec(1, 0, -50), make_exec(2, 0, -10)});
  EXPECT_EQ(must(bench.writer().retain(at(-3600), 1, 1)), 1U);
  EXPECT_EQ(bench.count("SELECT time FROM events"), at(-10).nanoseconds);
}

TEST(Retention, TakesDerivedRowsAlong) {
  Bench bench;
  pb::Event call = make_call(pb::SOURCE_GATEWAY, -7200);
  call.add_detections()->set_category("secret");
  call.mutable_decision()->set_outcome(pb::Decision::OUTCOME_DENY);
  bench.report("gateway", {call});
  ASSERT_EQ(bench.count("SELECT COUNT(*) FROM detections"), 1);
  must(bench.writer().retain(at(0), UINT64_MAX, 100));
  for (const char* table : {"events", "calls", "detections", "verdicts", "event_counts"})
    EXPECT_EQ(bench.count(std::string("SELECT COUNT(*) FROM ") + table), 0) << table;
}

}  // namespace
}  // namespace aispm::collector::test
