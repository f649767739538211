// What the log says of waivers: which finding one is applied to, and that it ended. A finding names its waiver as long as it is waived;
// these entries say by whose word, and until when.
import type { EvidenceLog } from '../evidence/log.ts';
import type { Store } from '../store/open-store.ts';
import type { EntryBody } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { SitePolicy, Waiver } from '../wire/schemas/site-policy.ts';

/** Setting: what this log has said. */
export const WAIVERS_SAID = 'waivers.applied';

type Applied = Omit<EntryBody<'waiver'>, 'state'>;

/**
 * Enters what changed since the last call, each waiver once for each check and target that it is applied to: `applied` with the first
 * finding that it waives, then `expired` when its time is over, or `withdrawn` when the policy in force does not have it any more.
 *
 * @param now Unix seconds
 */
export function noteWaivers(
  {
    store,
    evidence,
  }: { readonly store: Pick<Store, 'unit' | 'settings'>; readonly evidence: Pick<EvidenceLog, 'append'> },
  findings: Iterable<Pick<Finding, 'target' | 'check' | 'waiver_id'>>,
  policy: { readonly value: Pick<SitePolicy, 'waivers'>; readonly digest: string } | null,
  now: number,
): void {
  const text = store.settings.get(WAIVERS_SAID);
  const before = text === null ? {} : (JSON.parse(text) as Record<string, Applied>);
  const waivers = new Map((policy?.value.waivers ?? []).map((waiver) => [waiver.id, waiver]));
  const after: Record<string, Applied> = {};
  const said: EntryBody<'waiver'>[] = [];
  for (const [key, applied] of Object.entries(before)) {
    const isOver = now >= applied.expires_at;
    if (!isOver && waivers.has(applied.waiver_id)) after[key] = applied;
    else
      said.push({
        ...applied,
        state: isOver ? 'expired' : 'withdrawn',
        policy_sha256: policy?.digest ?? applied.policy_sha256,
      });
  }
  for (const { target, check, waiver_id: id } of findings) {
    const waiver = id === undefined ? undefined : waivers.get(id);
    if (waiver === undefined || policy === null || now >= waiver.expires_at) continue;
    const key = `${waiver.id}/${target.id}/${check.id}`;
    if (Object.hasOwn(after, key)) continue;
    after[key] = appliedOf(waiver, target.id, check.id, policy.digest);
    said.push({ ...after[key], state: 'applied' });
  }
  if (said.length === 0) return;
  store.unit(() => {
    for (const body of said) evidence.append('waiver', body);
    store.settings.set(WAIVERS_SAID, JSON.stringify(after));
  });
}

const appliedOf = ({ id, approver, expires_at }: Waiver, target: string, check: string, digest: string): Applied => ({
  ...{ waiver_id: id, check_id: check, target_id: target, approver, expires_at, policy_sha256: digest },
});
