// A site with two people who authorise orders for the next epoch, and what they do there: draft, sign with two folders of keys,
// publish, confirm. A real server and a real appliance. For tests only.
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import { run, until } from '../../tools/demo/process.ts';
import { APPLIANCE, SITE } from '../../tools/demo/site.ts';
import { demoSite, REPO } from './demo-site.ts';
import { WITHIN_MS } from './epoch-site.ts';

const ALWAYS = `time_zone: UTC
windows:
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", end: "23:59" }
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "23:58", end: "00:01" }
`;

interface Row {
  readonly authorisation_id: string;
  readonly state: string;
  readonly report: { readonly outcome: string; readonly code: string } | null;
}

/** Call inside `describe`: the site is removed after its tests. `begin` once, before the first of them. */
export function orderedEpochSite() {
  const site = demoSite([], ['Alice Ames', 'Bob Brown']);
  const folder = join(site.paths.keys, '..');
  const people = { alice: join(folder, 'alice'), bob: join(folder, 'bob') };
  return {
    site,
    people,
    async begin(): Promise<void> {
      await site.provision();
      site.startAgent();
      await site.confirm();
      for (const [name, person] of [
        ['alice', 'alice-ames'],
        ['bob', 'bob-brown'],
      ] as const) {
        mkdirSync(people[name], { mode: 0o700 });
        copyFileSync(join(site.paths.keys, `operator-${person}.pem`), join(people[name], `operator-${person}.pem`));
      }
      const file = join(folder, 'policy.yaml');
      writeFileSync(file, ALWAYS);
      await site.central('policy', 'sign', file, '--site', SITE, '--keys', site.paths.keys);
      await site.untilStatus('entries are witnessed', (s) => (s.witnessed?.size ?? 0) > 4 && s.policy_version !== null);
    },
    keyFiles: (): string[] => readdirSync(join(site.paths.state, 'keys')).toSorted(),
    /** Authorised by both, published. */
    async authorise(kind: string): Promise<string> {
      const file = join(folder, `${kind}-${performance.now()}.json`);
      const { authorisation_id: id } = (await site.central(
        ...['authorise', 'draft', '--appliance', APPLIANCE, '--kind', kind, '--out', file],
      )) as { authorisation_id: string };
      for (const keys of Object.values(people)) {
        const main = join(REPO, 'central/main.ts');
        const argv = [main, 'authorise', 'sign', file, '--keys', keys, '--yes'];
        expect((await run([process.execPath, ...argv], { cwd: folder })).code).toBe(0);
      }
      await site.central('authorise', 'publish', file);
      return id;
    },
    untilAuthorisation: (id: string, state: string): Promise<Row> =>
      until(
        `the authorisation is ${state}`,
        async () => {
          const { authorisations } = (await site.central('authorise', 'list')) as { authorisations: Row[] };
          return authorisations.find((row) => row.authorisation_id === id && row.state === state) ?? null;
        },
        WITHIN_MS,
        () => site.agentProcess()?.output().slice(-4_000) ?? '',
      ),
    confirm: (keys: string) => site.central('appliance', 'confirm-epoch', APPLIANCE, '--keys', keys),
    /** `order` entries of an epoch as they stand in its log. */
    orderEntries(epoch: number): PredicateOf<'order'>[] {
      const store = openStore({ dir: site.paths.state, clock: systemClock, readOnly: true });
      try {
        return store.entries.list(epoch, { fromSeq: 0, limit: 10_000 }).flatMap(({ line }) => {
          const { predicate } = statementOf(line.toString());
          return predicate.kind === 'order' ? [predicate] : [];
        });
      } finally {
        store.close();
      }
    },
  };
}
