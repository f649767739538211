// Puts the packet filter of the signed baseline in place: checked first, in one transaction, with the way back kept and armed before.
// It stays only where the daemon says within CONFIRM_WITHIN_S that Central Command still answers.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FirewallBaseline, LoadedBaseline } from '../checks/baseline.ts';
import { AgentError } from '../errors/agent-error.ts';
import { readRuleset, selfFillingSets, type TableDigest } from '../facts/normalise-ruleset.ts';
import { readUnforgeableFile, writeFileAtomic } from '../system/files.ts';
import type { Clock, Exec } from '../system/ports.ts';
import type { Acted } from './heal-acts.ts';
import { BEFORE_FILE, type PendingFirewall } from './helper-state.ts';
import { differenceOf, labelOf, refillSet, replaceTables } from './firewall-text.ts';
import { unitJob } from './unit-of-systemd.ts';

/** Without a confirmation within this time it goes back; the timer of nix/helpers.nix waits as long. */
export const CONFIRM_WITHIN_S = 300;
export const REVERT_TIMER = 'compliance-agent-revert-firewall.timer';

const MAX_BEFORE_BYTES = 8 * 1024 * 1024;
const DEADLINE_MS = 30_000;

export interface FirewallDeps {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly stateDir: string;
  readonly pending: PendingFirewall | null;
  /** On the disk before it returns. */
  readonly keep: (pending: PendingFirewall | null) => void;
  /** 128 random bits in hex: the id of this run. */
  readonly newRun: () => string;
}

async function nft(exec: Exec, words: readonly string[], stdin = ''): Promise<string> {
  const { status, code, stdout, stderr } = await exec.run(['nft', ...words], {
    deadlineMs: DEADLINE_MS,
    stdin,
    maxOutputBytes: MAX_BEFORE_BYTES,
  });
  if (status === 'exited' && code === 0) return stdout.toString('utf8');
  const said = status === 'exited' ? (stderr.toString('utf8').trim().split('\n')[0] ?? '').slice(0, 300) : status;
  throw new AgentError('helper_act_failed', `nft ${words.join(' ')}: ${said}`, { place: 'packet filter' });
}

const check = (exec: Exec, text: string): Promise<string> => nft(exec, ['-c', '-f', '-'], text);
const load = (exec: Exec, text: string): Promise<string> => nft(exec, ['-f', '-'], text);

async function tablesNow(exec: Exec): Promise<readonly TableDigest[]> {
  const ruleset = readRuleset(await nft(exec, ['-j', 'list', 'ruleset']));
  if (ruleset !== null) return ruleset.tables;
  throw new AgentError('helper_act_failed', 'nft did not print the JSON of a ruleset', { place: 'packet filter' });
}

function declaredFirewall({ checks }: LoadedBaseline): FirewallBaseline & { readonly ruleset: string } {
  const declared = checks.firewall;
  if (declared?.expected === 'declared' && declared.ruleset !== undefined) {
    return { ...declared, ruleset: declared.ruleset };
  }
  throw new AgentError('helper_not_declared', 'the baseline declares no ruleset to restore', { place: 'baseline' });
}

/**
 * What fills sets by itself stands in no ruleset, and what the daemon may reach is in such a set: it is carried over, or the restore
 * would cut the daemon off until somebody fills it again.
 */
async function carriedOver(exec: Exec, declared: FirewallBaseline): Promise<string[]> {
  const sets = selfFillingSets(await nft(exec, ['-j', 'list', 'sets'])) ?? [];
  const texts: string[] = [];
  for (const set of sets) {
    if (!declared.tables.some((table) => labelOf(table) === labelOf({ family: set.family, name: set.table }))) continue;
    const text = refillSet(set, await nft(exec, ['list', 'set', set.family, set.table, set.name]));
    if (text !== null) texts.push(text);
  }
  return texts;
}

/** @throws helper_not_declared, helper_not_now (one waits already), helper_act_failed: then all is as it was */
export async function restoreFirewall(baseline: LoadedBaseline, deps: FirewallDeps): Promise<Acted> {
  const { exec, clock, stateDir } = deps;
  const declared = declaredFirewall(baseline);
  if (deps.pending?.boot_id === clock.bootId()) {
    throw new AgentError('helper_not_now', 'a restored packet filter is still waiting to be confirmed');
  }
  const present = await tablesNow(exec);
  if (differenceOf(present, declared) === null && declared.tables.every(({ sha256 }) => sha256 !== 'none')) {
    return { outcome: 'unchanged', sentence: 'The packet filter is the declared one already.', details: {} };
  }
  const replaced = declared.tables;
  const there = replaced.filter((table) => present.some((one) => labelOf(one) === labelOf(table)));
  const before: string[] = [];
  for (const { family, name } of there) before.push(await nft(exec, ['list', 'table', family, name]));
  const back = replaceTables(replaced, before);
  // A way back that nft does not read is none.
  await check(exec, back);

  const carried = await carriedOver(exec, declared);
  const withSets = replaceTables(replaced, [declared.ruleset, ...carried]);
  const carries = await check(exec, withSets).then(
    () => true,
    () => false,
  );
  const text = carries ? withSets : replaceTables(replaced, [declared.ruleset]);
  if (!carries) await check(exec, text);

  const run = deps.newRun();
  writeFileAtomic(join(stateDir, BEFORE_FILE), back);
  try {
    // Armed before: whatever happens to this process, the way back is taken. And before it is kept that something waits: without
    // its timer nothing would end that, and no other restore could begin.
    await unitJob(exec, 'restart', REVERT_TIMER);
    deps.keep({ run, boot_id: clock.bootId() });
    await load(exec, text);
  } catch (error) {
    await forget(deps);
    throw error;
  }
  const difference = differenceOf(await tablesNow(exec), declared);
  if (difference !== null) {
    await load(exec, back);
    await forget(deps);
    const sentence = `the ruleset of the baseline does not give what the baseline declares (${difference}): it went back`;
    throw new AgentError('helper_act_failed', sentence, { place: 'packet filter' });
  }
  return {
    outcome: 'done',
    sentence: `The packet filter is the declared one; it goes back unless that is confirmed within ${CONFIRM_WITHIN_S} s.`,
    details: {
      run,
      confirm_within_s: CONFIRM_WITHIN_S,
      tables: replaced.length,
      sets_kept: carries ? carried.length : 0,
    },
  };
}

/** @throws helper_nothing_pending */
export async function confirmFirewall(run: string, deps: FirewallDeps): Promise<Acted> {
  assertPending(run, deps);
  await forget(deps);
  return { outcome: 'done', sentence: 'The restored packet filter stays.', details: { run } };
}

/** @throws helper_nothing_pending, helper_act_failed */
export async function rollBackFirewall(run: string, deps: FirewallDeps): Promise<Acted> {
  assertPending(run, deps);
  await goBack(deps);
  await forget(deps);
  return { outcome: 'done', sentence: 'The packet filter is as it was before.', details: { run } };
}

/** What the timer starts: nothing that waits in this boot means that all is well. @throws helper_act_failed */
export async function revertFirewall(deps: FirewallDeps): Promise<Acted> {
  const { pending, clock, stateDir } = deps;
  if (pending === null && existsSync(join(stateDir, BEFORE_FILE))) {
    // Forgotten, and not confirmed: that removes it. The timer runs only where a restore armed it in this boot.
    await goBack(deps);
    await forget(deps);
    return { outcome: 'done', sentence: 'The packet filter is as it was before.', details: {} };
  }
  if (pending === null || pending.boot_id !== clock.bootId()) {
    if (pending !== null) await forget(deps);
    return { outcome: 'unchanged', sentence: 'No packet filter waits to be confirmed.', details: {} };
  }
  await goBack(deps);
  await forget(deps);
  const sentence = 'Nobody confirmed the restored packet filter, so it is as it was before.';
  return { outcome: 'done', sentence, details: { run: pending.run } };
}

function assertPending(run: string, { pending, clock }: FirewallDeps): void {
  if (pending !== null && pending.run === run && pending.boot_id === clock.bootId()) return;
  throw new AgentError('helper_nothing_pending', 'no packet filter of this run waits to be confirmed or undone');
}

async function goBack({ exec, stateDir }: FirewallDeps): Promise<void> {
  const text = readUnforgeableFile(join(stateDir, BEFORE_FILE), MAX_BEFORE_BYTES, 0).toString('utf8');
  await load(exec, text);
}

/** The timer last: it does no harm where nothing waits. */
async function forget({ exec, stateDir, keep }: FirewallDeps): Promise<void> {
  keep(null);
  if (existsSync(join(stateDir, BEFORE_FILE))) rmSync(join(stateDir, BEFORE_FILE));
  await unitJob(exec, 'stop', REVERT_TIMER).catch(() => undefined);
}
