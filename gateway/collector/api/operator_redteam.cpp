// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/operator_redteam.hpp"

namespace aispm::collector::api {

namespace pb = aispm::v1;

void add_redteam(Handlers& handlers, const WallClock& clock, redteam::Runs& runs) {
  add_handler<pb::StartRedTeamRequest, pb::RedTeamRun>(
      handlers, "StartRedTeam", [clock, &runs](Desk& desk, const pb::StartRedTeamRequest& request) {
        return runs.start(request, desk.caller.name, clock());
      });
  add_handler<pb::ListRedTeamRunsRequest, pb::RedTeamRunList>(
      handlers, "ListRedTeamRuns",
      [&runs](Desk&, const pb::ListRedTeamRunsRequest&) { return runs.list(); });
  add_handler<pb::GetRedTeamRunRequest, pb::RedTeamRun>(
      handlers, "GetRedTeamRun", [&runs](Desk&, const pb::GetRedTeamRunRequest& request) {
        return runs.get(request.run_id());
      });
  add_handler<pb::PutRedTeamCorpusRequest, pb::RedTeamCorpus>(
      handlers, "PutRedTeamCorpus",
      [&runs](Desk&, const pb::PutRedTeamCorpusRequest& request) { return runs.put(request); });
  add_handler<pb::ListRedTeamCorporaRequest, pb::RedTeamCorpusList>(
      handlers, "ListRedTeamCorpora",
      [&runs](Desk&, const pb::ListRedTeamCorporaRequest&) { return runs.corpora(); });
  add_handler<pb::DeleteRedTeamCorpusRequest, pb::RedTeamCorpus>(
      handlers, "DeleteRedTeamCorpus",
      [&runs](Desk&, const pb::DeleteRedTeamCorpusRequest& request) {
        return runs.remove(request.name());
      });
}

}  // namespace aispm::collector::api
