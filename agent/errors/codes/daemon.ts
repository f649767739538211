// Error codes of the daemon and of orders.
import { code } from '../code-info.ts';

export const DAEMON_CODES = {
  status_unreadable: code(
    5,
    false,
    'the status file of the daemon cannot be read',
    'read it as the agent or as root, or start the daemon',
  ),
  binding_mode_differs: code(
    2,
    false,
    'the binding of the appliance names another mode or partner than the configuration',
    'correct mode and reseller_id in the configuration, or the site at Central Command',
  ),
  central_unreachable: code(
    3,
    true,
    'three check-ins in a row got no usable answer',
    'see `compliance-agent status` for the cause; work goes on and evidence waits here',
  ),
  order_id_reused: code(
    4,
    false,
    'an order carries the id of another order that was accepted',
    'issue it again: each order gets an id of its own',
  ),
  order_refusals_unrecorded: code(
    4,
    true,
    'more orders were refused within an hour than are recorded one by one',
    'find out who issues them: Central Command or somebody who holds its keys',
  ),
  receipt_not_accepted: code(
    4,
    true,
    'a receipt of Central Command does not hold',
    'see the log lines of the upload; nothing is deleted',
  ),
  document_not_accepted: code(
    4,
    true,
    'a root, content list or site policy that Central Command names cannot be taken over',
    'see the log lines of the check-in; the documents in force stay',
  ),
  check_unknown: code(2, false, 'a check is named that this agent does not have', 'docs/checks.md lists the checks'),
  shutting_down: code(3, true, 'the agent is stopping', 'nothing: it ends what it does and exits'),
  stage_overrun: code(3, true, 'a stage of the cycle did not end by its deadline', 'see the log lines of that stage'),
  order_interrupted: code(
    3,
    false,
    'the agent stopped while an order was being carried out',
    'look at what the verify step saw, then issue the order again',
  ),
  order_handler_failed: code(
    1,
    false,
    'an order was accepted, but carrying it out failed',
    'see the log lines with its order_id',
  ),
  order_deadline: code(
    3,
    false,
    'an order was not carried out within its time',
    'see what the verify step saw, then issue the order again',
  ),
  restart_not_seen: code(
    3,
    false,
    'the agent did not come back in time after a restart that was ordered',
    'look at the journal of the unit',
  ),
  signed_time_went_back: code(
    4,
    true,
    'Central Command answered with an earlier time than before',
    'check the clock of Central Command',
  ),
};
