// Order kind `run_check`: runs checks now. Its result is the findings that the checks came to, not that they ran.
import type { OrderHandler, OrderResult } from '../../orders/order-handler.ts';
import { paramsOf } from '../../guards/order-params.ts';
import type { Finding } from '../../wire/schemas/finding.ts';
import type { Order } from '../../wire/schemas/order.ts';
import type { DaemonContext } from '../context.ts';
import { PROBE_DEADLINE_MS } from '../probe-context.ts';
import { ALL_CHECKS, runChecks } from '../run-checks.ts';

export function runCheckHandler(context: DaemonContext): OrderHandler {
  const asked = (order: Order) => {
    const { checks } = paramsOf('run_check', order);
    return checks === undefined ? ALL_CHECKS : ALL_CHECKS.filter((check) => checks.includes(check.id));
  };
  return {
    kind: 'run_check',
    does: 'work',
    deadlineMs: 2 * PROBE_DEADLINE_MS,
    async act(order, signal) {
      const checks = asked(order);
      const missing = (paramsOf('run_check', order).checks ?? []).length - checks.length;
      if (order.params['checks'] !== undefined && missing > 0) {
        const sentence = `${missing} of the checks that were asked for are not known to this agent; none was run.`;
        return { kind: 'failed', code: 'check_unknown', sentence, result: { missing } };
      }
      const { findings, changed } = await runChecks(checks, context, signal, { every: true });
      const result = { ...countResults(findings), changed: changed.length };
      const unread = findings.filter((finding) => finding.result === 'unknown').length;
      const unknown = unread === 0 ? '' : `, ${unread} of them unknown`;
      return { kind: 'done', sentence: `${findings.length} checks came to a finding${unknown}.`, result };
    },
    verify: (order) =>
      countResults(asked(order).flatMap((check) => context.state.findings.get(`appliance/${check.id}`) ?? [])),
  };
}

/** How many findings came to each result. Pure. */
export function countResults(findings: readonly Finding[]): OrderResult {
  const counts: Record<string, number> = { checks: findings.length };
  for (const finding of findings) counts[finding.result] = (counts[finding.result] ?? 0) + 1;
  return counts;
}
