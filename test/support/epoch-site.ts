// What the tests of epochs do at a real site: orders carried out, logs taken from both sides and held against both verifiers.
// For tests only.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { AgentStatus } from '../../agent/system/status-file.ts';
import { run, until } from '../../tools/demo/process.ts';
import { APPLIANCE, type Site } from '../../tools/demo/site.ts';
import { REPO } from './demo-site.ts';

export const WITHIN_MS = 60_000;

/** Waits until the appliance works in epoch `number`, bound by the registrar and with nothing in its way. */
export const untilEpoch = (site: Site, number: number, status = 'provisional'): Promise<AgentStatus> =>
  site.untilStatus(
    `epoch ${number} is ${status}`,
    (s) => s.epoch?.number === number && s.epoch.status === status && s.blocking_reason === null,
    WITHIN_MS,
  );

/** A routine order is issued, accepted and carried out. */
export async function carryOut(site: Site): Promise<void> {
  const order = await site.issue('set_healing', { action: 'pause', minutes: 5 });
  await until(
    'the order is carried out',
    async () => {
      const { orders } = (await site.central('order', 'list', '--appliance', APPLIANCE)) as {
        orders: { order_id: string; outcome: string }[];
      };
      return orders.find(({ order_id }) => order_id === order.order_id)?.outcome === 'success' ? true : null;
    },
    WITHIN_MS,
    () => site.agentProcess()?.output().slice(-4_000) ?? '',
  );
}

/** Waits until Central Command holds all entries of the current log that there are now. */
export async function untilStored(site: Site): Promise<AgentStatus> {
  const size = site.status()?.log?.size ?? 0;
  return site.untilStatus('what there is is stored', (s) => (s.stored_size ?? 0) >= size, WITHIN_MS);
}

export interface StoredVerdict {
  readonly code: number;
  readonly verdict: string;
  readonly log: Record<string, unknown>;
}

/** A log as Central Command holds it, verified by `evidence verify` of the agent with the checkpoints that were cosigned. */
export async function verifyStored(site: Site, origin: string): Promise<StoredVerdict> {
  const dir = mkdtempSync(join(site.paths.data, '..', 'stored-'));
  const [lines, notes] = [join(dir, 'log.jsonl'), join(dir, 'checkpoints.txt')];
  await site.central('evidence', 'export-lines', '--origin', origin, '--out', lines);
  const { checkpoints } = (await site.central('evidence', 'checkpoints', '--origin', origin)) as {
    checkpoints: { size: number; note: string }[];
  };
  const size = readFileSync(lines, 'utf8').split('\n').length - 1;
  // What was cosigned may be ahead of what is stored.
  writeFileSync(
    notes,
    checkpoints
      .filter((one) => one.size <= size)
      .map((one) => one.note)
      .join('\n'),
  );
  const trust = ['--root', join(site.paths.provision, 'root.json'), '--root-sha256', site.rootDigest()];
  const { code, output } = await site.cli('evidence', 'verify', lines, '--checkpoints', notes, ...trust, '--json');
  rmSync(dir, { recursive: true });
  const { verdict, ...log } = JSON.parse(output) as { verdict: string };
  return { code: Number(code), verdict, log };
}

/** What both verifiers say of all logs that the box itself has, in a bundle that it exported. */
export async function verifyBox(site: Site): Promise<{ agent: string; python: string; statuses: string[] }> {
  const dir = mkdtempSync(join(site.paths.data, '..', 'bundle-'));
  const out = join(dir, 'bundle');
  await site.cli('evidence', 'export', '--out', out);
  expect(existsSync(join(out, 'MANIFEST'))).toBe(true);
  const agent = await site.cli('evidence', 'verify', out, '--root-sha256', site.rootDigest(), '--json');
  const python = await run(
    ['python3', join(REPO, 'docs/verify/verify.py'), out, '--root-sha256', site.rootDigest(), '--json'],
    { cwd: REPO, env: {} },
  );
  rmSync(dir, { recursive: true });
  const said = JSON.parse(python.output) as { verdict: string; logs: { status: string; code: string | null }[] };
  return {
    agent: (JSON.parse(agent.output) as { verdict: string }).verdict,
    python: said.verdict,
    statuses: said.logs.map(({ status, code }) => code ?? status),
  };
}

/** Kinds and subjects of open alarms. */
export async function openAlarms(site: Site): Promise<string[]> {
  const { alarms } = (await site.central('appliance', 'alarms')) as {
    alarms: { kind: string; subject: string; cleared_at: number | null }[];
  };
  return alarms.filter((alarm) => alarm.cleared_at === null).map(({ kind, subject }) => `${kind} ${subject}`);
}

/** The facts of entry 0 of the current log. */
export async function firstEntry(site: Site): Promise<Record<string, unknown>> {
  const { output } = await site.cli('evidence', 'list', '--from', '0', '--limit', '1', '--lines');
  const { payload } = JSON.parse(output.split('\n')[0] ?? '') as { payload: string };
  const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString()) as { predicate: Record<string, unknown> };
  return predicate;
}
