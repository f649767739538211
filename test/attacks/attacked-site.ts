// A real site of a partner with two people, whose Central Command is then in the hands of an attacker.
import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import type { PinnedRoot } from '../../agent/trust/root.ts';
import { parseRoot } from '../../agent/trust/root.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, type Signer } from '../../agent/wire/dsse.ts';
import { generateEd25519, signerFromPrivateKey } from '../../agent/wire/node-signature.ts';
import type { EntryKind, PredicateOf } from '../../agent/wire/schemas/entry.ts';
import type { Root } from '../../agent/wire/schemas/root.ts';
import { personSigners } from '../../central/keys/person-keys.ts';
import { onlineKeysDir } from '../../central/keys/online-keys.ts';
import { openRecords } from '../../central/service/central.ts';
import { startLyingCentral, type LyingCentral } from '../../tools/demo/lying-central.ts';
import { SITE, type Site } from '../../tools/demo/site.ts';
import { until } from '../../tools/demo/process.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { heldPins } from '../support/held-pins.ts';
import { demoSite } from '../support/demo-site.ts';

const PATIENCE_MS = 60_000;
/** Always open, so that what is refused is refused for another reason. */
const POLICY = `time_zone: UTC
windows:
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", end: "23:59" }
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "23:58", end: "00:01" }
`;

export interface AttackedSite {
  readonly site: Site;
  readonly central: LyingCentral;
  /** Two people each. */
  readonly people: Readonly<Record<'root' | 'content' | 'operator', readonly [Signer, Signer]>>;
  /** Keys that only root 2 names. */
  readonly added: Readonly<Record<'elsewhere' | 'aliceAgain' | 'spare', Signer>>;
  readonly device: Signer;
  /** Of the CAs that the appliance holds. */
  pins(): readonly string[];
  entries<K extends EntryKind>(kind: K): PredicateOf<K>[];
  alerts(code: string, state: 'raised' | 'cleared'): PredicateOf<'alert'>[];
  /** The code that `status` names as the one reason that blocks, or null. */
  reason(): string | null;
  /** How many documents were taken over so far. */
  trusted(): number;
  /** How often an alert was raised for a cause. */
  raisedFor(alert: string, cause: string): number;
  /** Lets honest answers count again, and waits until what the attack raised is cleared. */
  recovered(alert: string): Promise<void>;
  until(what: string, look: () => boolean): Promise<void>;
}

/** Enrolled, with a site policy and a second root in force, and with the real server replaced. For one `describe`. */
export function attackedSite(): { readonly start: () => Promise<AttackedSite> } {
  const site = demoSite([], ['Alice Ames', 'Bob Brown']);
  let central: LyingCentral | null = null;
  const close = async (): Promise<void> => {
    const open = central;
    central = null;
    await open?.close();
  };
  afterAll(async () => {
    await site.endAgent('SIGKILL');
    await close();
  });
  return {
    start: async () => {
      await site.provision();
      site.startAgent();
      await site.confirm();
      const policy = join(site.paths.data, '..', 'policy.yaml');
      writeFileSync(policy, POLICY);
      await site.central('policy', 'sign', policy, '--site', SITE, '--keys', site.paths.keys);
      const { hostname, port } = new URL(site.url());
      await site.endCentral('SIGTERM');
      const liar = await startLyingCentral(site.paths.data, hostname, Number(port));
      central = liar;
      const before = liar.central.trust.root();
      const { people, added } = await publishSecondRoot(site, before);
      const device = signerFromPrivateKey(createPrivateKey(readFileSync(join(site.paths.state, 'keys/device.key'))));
      const entries = <K extends EntryKind>(kind: K): PredicateOf<K>[] =>
        linesOnDisk(site).flatMap((line) => {
          const { predicate } = statementOf(line);
          return predicate.kind === kind ? [predicate as PredicateOf<K>] : [];
        });
      const alerts = (code: string, state: 'raised' | 'cleared'): PredicateOf<'alert'>[] =>
        entries('alert').filter((alert) => alert.code === code && alert.state === state);
      const reason = (): string | null => site.status()?.blocking_reason?.code ?? null;
      const untilSeen = async (what: string, look: () => boolean): Promise<void> => {
        await until(
          what,
          () => look() || null,
          PATIENCE_MS,
          () => site.agentProcess()?.output().slice(-3_000) ?? '',
        );
      };
      const attacked: AttackedSite = {
        site,
        central: { ...liar, close },
        people,
        added,
        device,
        pins: () => heldPins(site.paths.state),
        entries,
        alerts,
        reason,
        trusted: () => entries('trust').length,
        raisedFor: (alert, cause) => alerts(alert, 'raised').filter((entry) => entry.details['cause'] === cause).length,
        recovered: async (alert) => {
          liar.distort(null);
          liar.documents.clear();
          await untilSeen('all is well again', () => {
            // It stores no evidence, which is the reason that remains.
            return (
              reason() === 'http_unavailable' && alerts(alert, 'raised').length === alerts(alert, 'cleared').length
            );
          });
        },
        until: untilSeen,
      };
      await attacked.until('root 2 and the policy are in force', () =>
        ['root', 'policy'].every((what) => entries('trust').some((entry) => entry.what === what)),
      );
      return attacked;
    },
  };
}

/** Root 2 names a second operator key of the first person, an order key for another site, and a spare order key. */
async function publishSecondRoot(site: Site, { root }: PinnedRoot): Promise<Pick<AttackedSite, 'people' | 'added'>> {
  const pair = async (role: 'root' | 'content' | 'operator'): Promise<readonly [Signer, Signer]> => {
    const [one, two] = await personSigners(site.paths.keys, role, root);
    return [one!.signer, two!.signer];
  };
  const people = { root: await pair('root'), content: await pair('content'), operator: await pair('operator') };
  const added = { elsewhere: newSigner(), aliceAgain: newSigner(), spare: newSigner() };
  const holderOf = (keyid: string | undefined): string => root.keys.find((key) => key.keyid === keyid)!.person;
  const service = holderOf(root.roles.order.keyids[0]);
  const next: Root = {
    ...root,
    version: 2,
    keys: [
      ...root.keys,
      { keyid: added.elsewhere.keyid, spki: added.elsewhere.spki, person: service, sites: ['another-clinic'] },
      { keyid: added.spare.keyid, spki: added.spare.spki, person: service },
      { keyid: added.aliceAgain.keyid, spki: added.aliceAgain.spki, person: holderOf(people.operator[0].keyid) },
    ],
    roles: {
      ...root.roles,
      order: { ...root.roles.order, keyids: [...root.roles.order.keyids, added.elsewhere.keyid, added.spare.keyid] },
      operator: { ...root.roles.operator, keyids: [...root.roles.operator.keyids, added.aliceAgain.keyid] },
    },
  };
  const line = encodeEnvelope(signDocument('root', next, people.root));
  const records = openRecords(site.paths.data);
  try {
    const row = { kind: 'root', scope: '', version: 2, digest: parseRoot(line).digest, line } as const;
    records.store.documents.add(row, records.now());
  } finally {
    records.close();
  }
  return { people, added };
}

export const newSigner = (): Signer => generateEd25519().signer;

export const orderKeyFile = (site: Site): string => join(onlineKeysDir(site.paths.data), 'order.pem');
