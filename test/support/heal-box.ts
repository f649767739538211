// What tests of healing in a booted container share: a first root that root's configuration names, digests of tables, and what the
// helpers hold.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readRuleset } from '../../agent/facts/normalise-ruleset.ts';
import { payloadDigest } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import { until } from '../../tools/demo/process.ts';
import { STATE_DIR, type ApplianceBox } from './appliance-box.ts';

const HELD = 'var/lib/compliance-agent-helpers';
const MAX_BYTES = 4_000_000;

const digestOf = (path: string): string =>
  payloadDigest(parseEnvelope(readFileSync(path, 'utf8').trim(), { maxBytes: MAX_BYTES }));

/** From the next start of a helper on it begins with the root of the provisioning files. */
export function nameRoot(box: ApplianceBox): void {
  const digest = digestOf(join(box.root, STATE_DIR, 'provision/root.json'));
  box.run(['tee', '-a', '/etc/compliance-agent/config.yaml'], `\nroot_sha256: '${digest}'\n`);
}

/** Digest of the table `lab` of a ruleset, as nft lists it once it is loaded somewhere. */
export function tableDigest(box: ApplianceBox, ruleset: string): string {
  const listed = box.run(['unshare', '--net', 'sh', '-c', 'nft -f - && nft -j list ruleset'], ruleset);
  const table = readRuleset(listed)?.tables.find(({ name }) => name === 'lab');
  if (table === undefined) throw new Error(`no table in ${listed}`);
  return table.sha256;
}

/** What the agent's units wrote last. */
export const agentJournal = (box: ApplianceBox): string =>
  box.run(['journalctl', '-n', '150', '-u', 'compliance-agent*', '-o', 'short-precise', '--no-pager']);

/** Waits until the helpers hold a policy, and the content list of this digest. */
export async function untilHelpersHold(box: ApplianceBox, sha256: unknown, withinMs: number): Promise<void> {
  const [content, policy] = [join(box.root, HELD, 'content.json'), join(box.root, HELD, 'policy.json')];
  await until(
    'the list is with the helpers',
    () => (existsSync(policy) && existsSync(content) && digestOf(content) === sha256 ? true : null),
    withinMs,
    () => box.run(['sh', '-c', 'cat /run/compliance-agent/helpers/sync-trust.json; true']) + agentJournal(box),
  );
}
