// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/operator_orders.hpp"

#include "aispm/v1/api.pb.h"
#include "gateway/collector/store/order_book.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector::api {

namespace pb = aispm::v1;

void add_orders(Handlers& handlers, const WallClock& clock, OrderChanges& changes) {
  add_handler<pb::CreateOrderRequest, pb::Order>(
      handlers, "CreateOrder",
      [clock, &changes](Desk& desk, const pb::CreateOrderRequest& request) -> Result<pb::Order> {
        store::OrderBook book(desk.database);
        AISPM_TRY(pb::Order order, book.create(request, desk.caller.name, clock()));
        log::info("order.created", {{"order", order.id()},
                                    {"action", pb::OrderAction_Name(order.action())},
                                    {"mode", pb::OrderMode_Name(order.mode())},
                                    {"by", order.created_by()}});
        changes.announce();
        return order;
      });
  add_handler<pb::ListOrdersRequest, pb::OrderList>(
      handlers, "ListOrders", [clock](Desk& desk, const pb::ListOrdersRequest& request) {
        return store::OrderBook(desk.database).list(request, clock());
      });
  add_handler<pb::DeleteOrderRequest, pb::Order>(
      handlers, "DeleteOrder",
      [clock, &changes](Desk& desk, const pb::DeleteOrderRequest& request) -> Result<pb::Order> {
        store::OrderBook book(desk.database);
        AISPM_TRY(pb::Order order, book.remove(request.order_id(), desk.caller.name, clock()));
        log::info("order.deleted", {{"order", order.id()}, {"by", order.deleted_by()}});
        changes.announce();
        return order;
      });
}

}  // namespace aispm::collector::api
