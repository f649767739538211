// docs/operations: every command in a block marked `sh` is run as it stands, page after page, in a container with an appliance's
// units and a Central Command.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CODES } from '../../agent/errors/codes.ts';
import { readStatus, type AgentStatus } from '../../agent/system/status-file.ts';
import {
  AGENT,
  APPLIANCE,
  applianceBox,
  applianceBoxProblem,
  NODE,
  STATE_DIR,
  UNIT,
} from '../support/appliance-box.ts';
import { evaluateModule } from '../../tools/evaluate-module.ts';
import type { ApplianceBox } from '../support/appliance-box.ts';
import { CHECKOUT } from '../support/nspawn.ts';

const problem = applianceBoxProblem();
const PAGES = join(CHECKOUT, 'docs/operations');
const CENTRAL = '/opt/central-command';
/** In place of the fingerprint on the screen. */
const EXAMPLE = 'ABCD EFGH IJKL MNOP';
const SURROUNDINGS = [
  'export CENTRAL_DATA=/var/lib/central HOME=/root PATH=/opt/tools:$PATH',
  `cd ${CHECKOUT}`,
  '',
].join('\n');

const page = (name: string): string => readFileSync(join(PAGES, name), 'utf8');

interface Block {
  readonly language: string;
  readonly text: string;
}

/** Fenced blocks of a page, without the indentation of the list that they stand in. */
function blocksOf(document: string): Block[] {
  return [...document.matchAll(/^( *)```(\w+)\n(.*?)^\1```$/gms)].map(([, indent = '', language = '', text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

let box: ApplianceBox;
beforeAll(async () => {
  if (problem !== null) return;
  box = await applianceBox();
  box.run(['install', '-d', '/opt/tools', '/media/CLINICCFG']);
  const tree = [join(CHECKOUT, 'tools/install-tree.ts'), NODE, join(CHECKOUT, 'node_modules'), CENTRAL] as const;
  box.run([NODE, ...tree, 'central-command']);
  box.run(['ln', '-s', `${CENTRAL}/bin/central-command`, '/opt/tools/central-command']);
  box.run(['ln', '-s', AGENT, '/opt/tools/compliance-agent']);
  box.run(['install', '-d', '/etc/polkit-1/rules.d']);
  box.run(['tee', '/etc/polkit-1/rules.d/10-compliance-agent.rules'], evaluateModule().polkitRule);
  box.central('init', '--keys', '/root/keys', '--partner', 'northwind-msp', '--person', 'Alex Example');
  await box.startCentral();
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

const run = (text: string): string => box.run(['sh', '-euc', SURROUNDINGS + text]);

/** Runs the blocks of a page that are marked `sh`, from `first` on; what each printed. */
function runPage(name: string, change: (text: string) => string = (text) => text, from = 0, to = Infinity): string[] {
  const blocks = blocksOf(page(name)).filter(({ language }) => language === 'sh');
  return blocks.slice(from, to).map(({ text }) => run(change(text)));
}

/** A line without what differs from run to run: no numbers, identifiers and digests, and none of the commas of JSON. */
const shapeOf = (line: string): string =>
  line
    .trim()
    .replace(/,$/, '')
    .replaceAll(/\b[0-9a-f-]{16,}\b/g, '#')
    .replaceAll(/\d+/g, '#');

/** What somebody at the box does: the stick goes in. */
async function plugIn(): Promise<string> {
  box.run(['rm', '-rf', `${STATE_DIR}/provision`]);
  box.run(['cp', '-r', '/media/CLINICCFG', `${STATE_DIR}/provision`]);
  box.run(['chown', '-R', 'compliance-agent:compliance-agent', `${STATE_DIR}/provision`]);
  box.run(['systemctl', 'start', UNIT]);
  const { fingerprint } = await box.untilStatus('the device waits for confirmation', (s) => s.state === 'pending');
  return fingerprint ?? '';
}
const isReporting = (s: AgentStatus): boolean => s.state === 'enrolled' && (s.stored_size ?? 0) > 1;

describe('the pages of docs/operations', () => {
  it('name only pages and documents that are there', () => {
    const names = readdirSync(PAGES);
    expect(names).toHaveLength(8);
    for (const name of names) {
      const links = [...page(name).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, target]) => join(PAGES, target ?? ''));
      expect(links.filter((path) => !readableFile(path))).toEqual([]);
      const codes = [...page(name).matchAll(/^\| `(.*?)` *\|/gm)].flatMap(([, cell = '']) => cell.split('`, `'));
      expect(codes.filter((code) => /^[a-z_]+$/.test(code) && !(code in CODES))).toEqual([]);
    }
  });

  it('prepare a site: site, policy, content and an expected machine', () => {
    const said = runPage('prepare-a-site.md');
    expect(said).toHaveLength(4);
    expect(said.at(-1)).toContain('MXL1234567');
  });

  it('write the sticks: three files, with a token and without', () => {
    const [first] = runPage('write-the-stick.md');
    expect(first).toMatch(/ca\.pem\s+clinic\.yaml\s+root\.json\s*$/);
    expect(box.run(['cat', '/media/CLINICCFG/clinic.yaml'])).toContain('token:');
    expect(box.run(['cat', '/media/ANYBOX/clinic.yaml'])).not.toContain('token:');
  });

  it('first visit: the fingerprint of the box is confirmed, and its first report is stored', async () => {
    const fingerprint = await plugIn();
    const before = runPage('first-visit.md', (text) => text.replace(EXAMPLE, fingerprint), 0, 1);
    expect(before.join('')).toContain(fingerprint);
    await box.untilStatus('the first report is stored', isReporting);
    const [after] = runPage('first-visit.md', (text) => text, 1);
    expect(after).toContain(APPLIANCE);
  });

  it('read the journal: each recipe says what the page shows', async () => {
    box.run(['systemctl', 'stop', 'central-1.service']);
    await box.untilStatus('the outage is named', (s) => s.blocking_reason !== null);
    await box.startCentral();
    await box.untilStatus('it is back', (s) => s.blocking_reason === null);
    box.run(['systemctl', 'restart', UNIT]);
    await box.untilUnit(
      'the status text',
      ['StatusText'],
      ({ StatusText }) => StatusText === 'enrolled as north-1 at north',
    );
    const blocks = blocksOf(page('read-the-journal.md'));
    const recipes = blocks.flatMap(({ language, text }, at) =>
      language === 'sh' ? [{ command: text, shown: blocks[at + 1] }] : [],
    );
    expect(recipes).toHaveLength(7);
    for (const { command, shown } of recipes) {
      const said = run(command.replace('/mnt/var/log/journal', '/run/log/journal'));
      const seen = new Set(said.split('\n').map(shapeOf));
      const lines = (shown?.text ?? '').split('\n').filter((line) => line !== '');
      expect([shown?.language, lines.length > 0]).toEqual(['text', true]);
      expect(
        lines.filter((line) => !seen.has(shapeOf(line))),
        command,
      ).toEqual([]);
    }
  });

  it('move to another machine: the copy of the folder is whole, and the server that was copied goes on', async () => {
    const stopped = 'systemctl stop central-command.service';
    const said = runPage('move-to-another-central.md', (text) =>
      text.replace(stopped, "systemctl stop 'central-*.service'"),
    );
    expect(said.at(-1)).toContain(APPLIANCE);
    box.run(['mv', '/var/lib/central', '/var/lib/central-before']);
    box.run(['mv', '/var/lib/central-moved', '/var/lib/central']);
    await box.startCentral();
    const since = box.status()?.last_answer_at ?? '';
    await box.untilStatus(
      'the appliance has an answer of the moved one',
      (s) => s.blocking_reason === null && (s.last_answer_at ?? '') > since,
    );
  });

  it('replace a broken box: its place is taken by another, and both logs verify', async () => {
    runPage('replace-a-broken-box.md', (text) => text, 0, 2);
    // The new box has nothing of the old one.
    box.run(['systemctl', 'stop', UNIT]);
    box.run([
      'sh',
      '-c',
      `rm -rf ${STATE_DIR}/* /etc/credstore.encrypted/compliance-agent* /var/lib/compliance-agent-helpers/*`,
    ]);
    const fingerprint = await plugIn();
    runPage('replace-a-broken-box.md', (text) => text.replace(EXAMPLE, fingerprint), 2, 3);
    await box.untilStatus('the new one reports', isReporting);
    const [said] = runPage('replace-a-broken-box.md', (text) => text, 3);
    expect(said).toMatch(/north-1/);
    expect(readStatus(join(box.root, STATE_DIR))).toMatchObject({ appliance_id: APPLIANCE });
  });

  it('decommission: the bundle is written, the box is told, and its volume opens no more', async () => {
    const said = runPage('decommission.md');
    expect(said[0]).toMatch(/report/);
    await box.untilStatus('the box says that it is out of service', (s) =>
      JSON.stringify(s.blocking_reason).includes('decommissioned'),
    );
    // The command for the disk, on a file in place of the volume.
    const erase = blocksOf(page('decommission.md')).find(({ language }) => language === 'console');
    const commands = (erase?.text ?? '')
      .replaceAll(/^# /gm, '')
      .replaceAll('/dev/disk/by-partlabel/clinic-root', '/root/volume');
    expect(commands).toContain('cryptsetup erase');
    run(
      'truncate -s 20M /root/volume; echo key > /root/key; cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /root/volume /root/key',
    );
    expect(run('cryptsetup luksDump /root/volume')).toMatch(/^ +0: luks2$/m);
    expect(run(commands)).not.toMatch(/^ +\d+: luks2$/m);
  });
});

function readableFile(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}
