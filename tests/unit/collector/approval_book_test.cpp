// SPDX-License-Identifier: Apache-2.0
// APR-001 002 003 005 006 007: who may answer what, and how often an answer counts.
#include "gateway/collector/store/approval_book.hpp"

#include <gmock/gmock.h>

#include "gateway/collector/store/approval_links.hpp"
#include "gateway/collector/store/operator_log.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

using store::ApprovalBook;
using store::ApprovalLinks;
using store::Approver;
using ::testing::HasSubstr;

const std::string kDigest(64, 'a');
const Approver kCarol{"carol (1)", "carol", Role::kOperator, {"finance_manager"}};
const Approver kDave{"dave (2)", "dave", Role::kOperator, {}};

pb::RequestApprovalRequest refund(const std::string& role = "finance_manager") {
  pb::RequestApprovalRequest request;
  pb::Approval& approval = *request.mutable_approval();
  approval.set_kind(pb::APPROVAL_KIND_APPROVAL);
  approval.set_agent_id("bob/agent");
  approval.set_requester("bob");
  approval.set_tool("refund");
  approval.set_digest(kDigest);
  approval.set_arguments_text("{\"amount\":2000}");
  approval.set_approver_role(role);
  return request;
}

class ApprovalBookTest : public ::testing::Test {
 protected:
  pb::Approval request(const pb::RequestApprovalRequest& wanted, double seconds = 0) {
    return must(book.request(wanted, "host-a", at(seconds)));
  }
  Result<pb::Approval> answer(const std::string& id, pb::ApprovalAnswer what, const Approver& who,
                              double seconds = 1, const std::string& result = "") {
    pb::DecideApprovalRequest request;
    request.set_approval_id(id);
    request.set_answer(what);
    request.set_reason("because");
    request.set_role("board");
    request.set_result(result);
    return book.decide(request, who, at(seconds));
  }
  Result<pb::Approval> use(const std::string& id, const std::string& digest = kDigest,
                           double seconds = 2, const std::string& agent = "bob/agent") {
    pb::UseApprovalRequest request;
    request.set_approval_id(id);
    request.set_digest(digest);
    request.set_agent_id(agent);
    return book.use(request, "host-b", at(seconds));
  }

  Bench bench;
  ApprovalBook book{bench.database()};
};

TEST_F(ApprovalBookTest, IsUsedOnceAndForItsOwnActionOnly) {
  const auto asked = request(refund());
  EXPECT_FALSE(use(asked.id()));  // nobody said yes
  ASSERT_TRUE(answer(asked.id(), pb::APPROVAL_ANSWER_APPROVE, kCarol));
  EXPECT_EQ(use(asked.id(), std::string(64, 'b')).error().code, Errc::kDenied);
  EXPECT_EQ(use(asked.id(), kDigest, 2, "eve/agent").error().code, Errc::kDenied);
  EXPECT_TRUE(use(asked.id()));
  EXPECT_THAT(use(asked.id()).error().message, HasSubstr("used"));
}

TEST_F(ApprovalBookTest, IsForgottenWithItsLinksLongAfterItEnded) {
  const auto old = request(refund());
  const auto waits = request([] {
    auto wanted = refund();
    wanted.mutable_approval()->set_digest(std::string(64, 'c'));
    wanted.set_valid_seconds(86400);
    return wanted;
  }());
  must(bench.database().execute(
      ("INSERT INTO approval_links VALUES ('l', '" + old.id() + "', 'x', '', 0, 'x', NULL)")
          .c_str()));
  const auto forget = [&](double oldest) {
    return must(store::forget_approvals(bench.database(), at(oldest), at(oldest), 100));
  };
  EXPECT_EQ(forget(3600), 0U);  // it ends with this second
  EXPECT_EQ(forget(3601), 1U);
  EXPECT_EQ(book.get(old.id(), at(3601)).error().code, Errc::kNotFound);
  EXPECT_TRUE(book.get(waits.id(), at(3601)));
  const auto noted = must(store::waiting_actions(bench.database(), 10));
  ASSERT_EQ(noted.size(), 1U);
  EXPECT_THAT(noted[0].event, HasSubstr("1 approvals"));
  auto left = must(bench.database().prepare("SELECT COUNT(*) FROM approval_links"));
  ASSERT_TRUE(must(left.step()));
  EXPECT_EQ(left.integer(0), 0);
}

TEST_F(ApprovalBookTest, GivesTheSameCaseForTheSameQuestion) {
  const auto first = request(refund());
  EXPECT_EQ(request(refund(), 1).id(), first.id());
  auto other = refund();
  other.mutable_approval()->set_digest(std::string(64, 'b'));
  EXPECT_NE(request(other, 1).id(), first.id());
  auto session = refund();
  session.mutable_approval()->set_session_id("another");
  EXPECT_NE(request(session, 1).id(), first.id());
}

TEST_F(ApprovalBookTest, ExpiresWhetherAnsweredOrNot) {
  auto wanted = refund();
  wanted.set_valid_seconds(60);
  const auto open = request(wanted);
  EXPECT_FALSE(answer(open.id(), pb::APPROVAL_ANSWER_APPROVE, kCarol, 61));
  EXPECT_EQ(must(book.get(open.id(), at(61))).state(), pb::APPROVAL_STATE_EXPIRED);
  const auto again = request(wanted, 62);
  EXPECT_NE(again.id(), open.id());
  ASSERT_TRUE(answer(again.id(), pb::APPROVAL_ANSWER_APPROVE, kCarol, 63));
  EXPECT_FALSE(use(again.id(), kDigest, 200));
}

TEST_F(ApprovalBookTest, IsAnsweredByTheRightRoleAndNeverByWhoAsked) {
  const auto asked = request(refund());
  const Approver bob{"bob (3)", "bob", Role::kAdmin, {"finance_manager"}};
  const Approver agent{"x", "bob/agent", Role::kAdmin, {"finance_manager"}};
  const Approver admin{"root (4)", "root", Role::kAdmin, {}};
  for (const Approver& who : {kDave, bob, agent, admin})
    EXPECT_EQ(answer(asked.id(), pb::APPROVAL_ANSWER_APPROVE, who).error().code, Errc::kDenied)
        << who.name;
  EXPECT_TRUE(answer(asked.id(), pb::APPROVAL_ANSWER_APPROVE, kCarol));
}

TEST_F(ApprovalBookTest, DoesNotAskAgainAtOnceAfterANo) {
  const auto asked = request(refund());
  ASSERT_TRUE(answer(asked.id(), pb::APPROVAL_ANSWER_DENY, kCarol));
  EXPECT_EQ(request(refund(), 30).id(), asked.id());
  EXPECT_NE(request(refund(), 700).id(), asked.id());
}

TEST_F(ApprovalBookTest, EscalatesToAnotherRole) {
  const auto asked = request(refund());
  ASSERT_TRUE(answer(asked.id(), pb::APPROVAL_ANSWER_ESCALATE, kCarol));
  EXPECT_FALSE(answer(asked.id(), pb::APPROVAL_ANSWER_APPROVE, kCarol));
  EXPECT_EQ(request(refund(), 5).id(), asked.id());
  const Approver board{"erin (5)", "erin", Role::kOperator, {"board"}};
  EXPECT_TRUE(answer(asked.id(), pb::APPROVAL_ANSWER_APPROVE, board));
}

TEST_F(ApprovalBookTest, AHumanTakesOverAndAnswers) {
  auto wanted = refund();
  wanted.mutable_approval()->set_kind(pb::APPROVAL_KIND_HUMAN);
  const auto asked = request(wanted);
  EXPECT_FALSE(answer(asked.id(), pb::APPROVAL_ANSWER_APPROVE, kCarol));
  EXPECT_FALSE(answer(asked.id(), pb::APPROVAL_ANSWER_FINISH, kCarol, 1, "done"));
  ASSERT_TRUE(answer(asked.id(), pb::APPROVAL_ANSWER_TAKE_OVER, kCarol));
  const Approver other{"gina (6)", "gina", Role::kOperator, {"finance_manager"}};
  EXPECT_FALSE(answer(asked.id(), pb::APPROVAL_ANSWER_FINISH, other, 1, "done"));
  EXPECT_EQ(must(answer(asked.id(), pb::APPROVAL_ANSWER_FINISH, kCarol, 1, "done")).result(),
            "done");
  EXPECT_FALSE(use(asked.id()));
}

TEST_F(ApprovalBookTest, TellsEachGatewayWhatItAskedFor) {
  const auto asked = request(refund());
  EXPECT_EQ(must(book.snapshot_for("host-a", at(1))).approvals_size(), 1);
  EXPECT_EQ(must(book.snapshot_for("host-b", at(1))).approvals_size(), 0);
  must(book.request(refund(), "host-b", at(1)));
  EXPECT_EQ(must(book.snapshot_for("host-b", at(1))).approvals(0).id(), asked.id());
  const auto before = must(book.snapshot_for("host-a", at(1))).version();
  ASSERT_TRUE(answer(asked.id(), pb::APPROVAL_ANSWER_DENY, kCarol));
  EXPECT_GT(must(book.snapshot_for("host-a", at(1))).version(), before);
}

TEST_F(ApprovalBookTest, BoundsWhatAnAgentAsks) {
  for (std::size_t i = 0; i < ApprovalBook::kMaxOpenOfAgent; ++i) {
    auto wanted = refund();
    wanted.mutable_approval()->set_session_id(std::to_string(i));
    request(wanted);
  }
  auto more = refund();
  more.mutable_approval()->set_session_id("more");
  EXPECT_EQ(book.request(more, "host-a", at(0)).error().code, Errc::kExhausted);
}

TEST_F(ApprovalBookTest, RefusesWhatItCannotShow) {
  auto no_digest = refund();
  no_digest.mutable_approval()->set_digest("x");
  auto too_long = refund();
  too_long.mutable_approval()->set_arguments_text(std::string(20'000, 'x'));
  auto ticket = refund();
  ticket.mutable_approval()->set_kind(pb::APPROVAL_KIND_TICKET);
  for (const auto& wanted : {no_digest, too_long, ticket})
    EXPECT_EQ(book.request(wanted, "host-a", at(0)).error().code, Errc::kInvalid);
}

TEST_F(ApprovalBookTest, ALinkIsSignedForOnePersonAndWorksOnce) {
  const Secret key("key");
  const Secret another("another");
  ApprovalLinks links(bench.database(), key);
  const auto asked = request(refund(""));
  pb::CreateApprovalLinkRequest wanted;
  wanted.set_approval_id(asked.id());
  wanted.set_person("frank");
  const std::string path = must(links.create(wanted, kDave, at(1))).path();
  const std::string token = path.substr(path.rfind('/') + 1);
  EXPECT_EQ(must(links.open(token, at(2))).who.person, "frank");
  EXPECT_FALSE(ApprovalLinks(bench.database(), another).open(token, at(2)));
  std::string forged = token;
  forged.back() = forged.back() == '0' ? '1' : '0';
  EXPECT_FALSE(links.open(forged, at(2)));
  EXPECT_FALSE(links.open(token, at(4000)));
  pb::DecideApprovalRequest yes;
  yes.set_answer(pb::APPROVAL_ANSWER_APPROVE);
  EXPECT_EQ(must(links.answer(token, yes, at(3))).decided_by(), "link:frank, made by dave (2)");
  EXPECT_FALSE(links.answer(token, yes, at(3)));
}

TEST_F(ApprovalBookTest, ALinkGivesNoRoleThatItsMakerLacks) {
  const Secret key("key");
  ApprovalLinks links(bench.database(), key);
  const auto asked = request(refund());
  pb::CreateApprovalLinkRequest wanted;
  wanted.set_approval_id(asked.id());
  wanted.set_person("frank");
  wanted.add_roles("finance_manager");
  EXPECT_EQ(links.create(wanted, kDave, at(1)).error().code, Errc::kDenied);
  EXPECT_TRUE(links.create(wanted, kCarol, at(1)));
  wanted.set_person("");
  EXPECT_FALSE(links.create(wanted, kCarol, at(1)));
}

}  // namespace
}  // namespace aispm::collector::test
