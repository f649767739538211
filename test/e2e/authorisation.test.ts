// One disruptive act from its draft to its result: two people with a key each, a real server, a real appliance.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import { run, until } from '../../tools/demo/process.ts';
import { APPLIANCE, SITE } from '../../tools/demo/site.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite, REPO } from '../support/demo-site.ts';

const PATIENCE_MS = 60_000;
const ALWAYS = `time_zone: UTC
windows:
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", end: "23:59" }
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "23:58", end: "00:01" }
`;
const NEVER = 'time_zone: UTC\nwindows: []\n';

interface Row {
  readonly authorisation_id: string;
  readonly state: string;
  readonly report: { readonly outcome: string; readonly code: string } | null;
}

describe('an authorisation', () => {
  const site = demoSite([], ['Alice Ames', 'Bob Brown']);
  const folder = join(site.paths.keys, '..');
  const [alice, bob] = [join(folder, 'alice'), join(folder, 'bob')];
  const draftFile = (name: string): string => join(folder, `${name}.json`);

  /** Without a server: the verb gets no --data. */
  const sign = (file: string, ...args: string[]) =>
    run([process.execPath, join(REPO, 'central/main.ts'), 'authorise', 'sign', file, '--json', ...args], {
      cwd: folder,
    });
  const draft = (name: string, ...args: string[]) =>
    site.central(
      ...['authorise', 'draft', '--appliance', APPLIANCE, '--kind', 'set_healing', '--params', '{"action":"enable"}'],
      ...['--out', draftFile(name), ...args],
    ) as Promise<{ authorisation_id: string }>;
  const publish = (name: string) => site.central('authorise', 'publish', draftFile(name));
  const listed = async (id: string): Promise<Row> => {
    const { authorisations } = (await site.central('authorise', 'list')) as { authorisations: Row[] };
    return authorisations.find((row) => row.authorisation_id === id)!;
  };
  const orders = (): PredicateOf<'order'>[] =>
    linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'order' ? [predicate] : [];
    });
  const policy = async (text: string): Promise<void> => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, text);
    await site.central('policy', 'sign', file, '--site', SITE, '--keys', site.paths.keys);
  };
  const twoMoreAnswers = async (): Promise<void> => {
    const at = site.status()?.last_answer_at ?? 0;
    await site.untilStatus('two more answers came', (s) => (s.last_answer_at ?? 0) > at + 1);
  };

  beforeAll(async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    for (const [dir, person] of [
      [alice, 'alice-ames'],
      [bob, 'bob-brown'],
    ] as const) {
      mkdirSync(dir, { mode: 0o700 });
      copyFileSync(join(site.paths.keys, `operator-${person}.pem`), join(dir, `operator-${person}.pem`));
    }
    await policy(NEVER);
  });

  it('is refused with the signature of one person, and says who signed', async () => {
    await draft('enable');
    const signed = await sign(draftFile('enable'), '--keys', alice, '--yes');
    expect(signed.code).toBe(0);
    expect(signed.output).toContain('inside the maintenance window');
    await expect(publish('enable')).rejects.toThrow(/authorisation_signatures.*alice-ames/s);
  });

  it('is signed by the second person, published, and not ordered while the window is closed', async () => {
    expect((await sign(draftFile('enable'), '--keys', bob, '--yes')).code).toBe(0);
    const { authorisation_id: id, persons } = (await publish('enable')) as {
      authorisation_id: string;
      persons: string[];
    };
    expect(persons).toEqual(['alice-ames', 'bob-brown']);
    await twoMoreAnswers();
    expect((await listed(id)).state).toBe('open');
    expect(orders()).toEqual([]);
  });

  it('is ordered once when the window opens, carried out, and done', async () => {
    await policy(ALWAYS);
    const result = await until(
      'it is carried out',
      () => orders().find((entry) => entry.state === 'result') ?? null,
      PATIENCE_MS,
    );
    expect(result).toMatchObject({ order_kind: 'set_healing', outcome: 'success' });
    await twoMoreAnswers();
    expect(orders().filter((entry) => entry.state === 'accepted')).toHaveLength(1);
    const { authorisations } = (await site.central('authorise', 'list')) as { authorisations: Row[] };
    expect(authorisations).toMatchObject([{ state: 'done', report: { outcome: 'success' } }]);
  });

  it('that was published before is published no second time', async () => {
    expect(await publish('enable')).toMatchObject({ published: false });
    await twoMoreAnswers();
    expect(orders().filter((entry) => entry.state === 'accepted')).toHaveLength(1);
  });

  it('is ordered no more once it is withdrawn', async () => {
    await policy(NEVER);
    const { authorisation_id: id } = await draft('again');
    for (const keys of [alice, bob]) await sign(draftFile('again'), '--keys', keys, '--yes');
    await publish('again');
    await site.central('authorise', 'withdraw', id);
    await policy(ALWAYS);
    await twoMoreAnswers();
    expect((await listed(id)).state).toBe('withdrawn');
    expect(orders().filter((entry) => entry.state === 'accepted')).toHaveLength(1);
  });

  it('is not signed unasked, with the keys of several persons at once, or where the file is none', async () => {
    const { output } = await sign(draftFile('again'), '--keys', alice);
    expect(output).toContain('add --yes');
    const several = await sign(draftFile('again'), '--keys', site.paths.keys, '--yes');
    expect(several.output).toContain('signer_unclear');
    writeFileSync(draftFile('broken'), '{"payload":""}');
    expect((await sign(draftFile('broken'), '--keys', alice, '--yes')).output).toContain('draft_invalid');
  });

  it('that somebody changed after the first signature is refused', async () => {
    await draft('changed');
    await sign(draftFile('changed'), '--keys', alice, '--yes');
    const file = JSON.parse(readFileSync(draftFile('changed'), 'utf8')) as { payload: string };
    const payload = Buffer.from(file.payload, 'base64')
      .toString('utf8')
      .replace('"mode":"require"', '"mode":"override","reason":"now"');
    writeFileSync(
      draftFile('changed'),
      `${JSON.stringify({ ...file, payload: Buffer.from(payload).toString('base64') })}\n`,
    );
    await sign(draftFile('changed'), '--keys', bob, '--yes');
    await expect(publish('changed')).rejects.toThrow(/authorisation_signatures.*bob-brown did/s);
  });

  it('is not drafted for what is not disruptive, for nobody, or for longer than a week', async () => {
    await expect(draft('pause', '--params', '{"action":"pause"}')).rejects.toThrow(/issue it as an order/);
    await expect(draft('nobody', '--appliance', 'ghost')).rejects.toThrow(/appliance_unknown/);
    await expect(draft('long', '--days', '8')).rejects.toThrow(/1 to 7 days/);
    await expect(draft('again')).rejects.toThrow(/draft_unwritable/);
  });
});
