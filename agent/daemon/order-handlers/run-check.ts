// Order kind `run_check`: runs checks now, on the appliance or on the Windows targets that it names. Its result is the findings
// that the checks came to, not that they ran.
import type { ActOutcome, OrderHandler, OrderResult } from '../../orders/order-handler.ts';
import { paramsOf } from '../../guards/order-params.ts';
import type { Finding } from '../../wire/schemas/finding.ts';
import type { Order } from '../../wire/schemas/order.ts';
import type { DaemonContext } from '../context.ts';
import { PROBE_DEADLINE_MS } from '../probe-context.ts';
import { lookAtAll } from '../look-at-targets.ts';
import { listedBooks } from '../windows-work.ts';
import { ALL_CHECKS, runChecks } from '../run-checks.ts';

/** Other orders wait as long: looks at targets that hang are given up then. */
const TARGETS_DEADLINE_MS = 4 * 60_000;

export function runCheckHandler(context: DaemonContext): OrderHandler {
  const asked = (order: Order) => {
    const { checks } = paramsOf('run_check', order);
    return checks === undefined ? ALL_CHECKS : ALL_CHECKS.filter((check) => checks.includes(check.id));
  };
  return {
    kind: 'run_check',
    does: 'work',
    deadlineMs: (order) => (order.targets.length === 0 ? 2 * PROBE_DEADLINE_MS : TARGETS_DEADLINE_MS),
    async act(order, signal, { digest }) {
      if (order.targets.length > 0) return lookAtTargets(order, context, digest.slice(0, 16), signal);
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
      order.targets.length > 0
        ? {}
        : countResults(asked(order).flatMap((check) => context.state.findings.get(`appliance/${check.id}`) ?? [])),
  };
}

/** Detect alone: nothing on a target is changed by it. */
async function lookAtTargets(
  order: Order,
  context: DaemonContext,
  runId: string,
  signal: AbortSignal,
): Promise<ActOutcome> {
  const { enrolled } = context.state;
  const { checks } = paramsOf('run_check', order);
  const listed = enrolled === null ? [] : listedBooks(context.windows, enrolled.trust);
  const books = listed.filter(({ check }) => checks === undefined || checks.includes(check.id));
  if (enrolled === null || books.length === 0 || (checks !== undefined && books.length < checks.length)) {
    const sentence = 'Not every check that was asked for is one of a listed Windows runbook; none was run.';
    return { kind: 'failed', code: 'check_unknown', sentence, result: {} };
  }
  const rounds = order.targets.flatMap(({ id }) => {
    const target = context.targets.get(id);
    return target === null ? [] : [{ target: { id, role: target.role }, books }];
  });
  if (rounds.length < order.targets.length) {
    const sentence = 'There are no credentials for one of the targets now; none was looked at.';
    return { kind: 'failed', code: 'target_not_held', sentence, result: {} };
  }
  const findings = await lookAtAll(rounds, enrolled, context, runId, signal);
  const unread = findings.filter((finding) => finding.result === 'unknown').length;
  const unknown = unread === 0 ? '' : `, ${unread} of them unknown`;
  const sentence = `${findings.length} checks of ${rounds.length} targets came to a finding${unknown}.`;
  return { kind: 'done', sentence, result: { ...countResults(findings), targets: rounds.length } };
}

/** How many findings came to each result. Pure. */
export function countResults(findings: readonly Finding[]): OrderResult {
  const counts: Record<string, number> = { checks: findings.length };
  for (const finding of findings) counts[finding.result] = (counts[finding.result] ?? 0) + 1;
  return counts;
}
