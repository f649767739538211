// One turn of the refresher: what is to be open, by root's configuration and the signed site policy, is opened for three turns.
// It believes nothing that the daemon could have written.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/keys.ts';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { EGRESS_TURNS, MAX_EGRESS_BYTES } from '../facts/egress.ts';
import { readRuleset } from '../facts/normalise-ruleset.ts';
import type { ClockReading } from '../helpers/judge-time.ts';
import { readUnforgeableFile, writeFileAtomic } from '../system/files.ts';
import type { KernelClock } from '../system/kernel-clock.ts';
import type { Clock, Exec } from '../system/ports.ts';
import type { SitePolicy } from '../wire/schemas/site-policy.ts';
import { parseEgressState, type EgressState } from './egress-state.ts';
import { readHeldPolicy } from './held-policy.ts';
import { networkRanges } from './networks.ts';
import { CLOSED_TABLE, EGRESS_TABLE, openingText } from './nft-text.ts';
import { namesOf, planDoors, THIS_MACHINE, type Resolved } from './plan-doors.ts';
import { provisionedCentral } from './provisioned-central.ts';
import { wantedDoors } from './wanted-doors.ts';

/** Loads the table that drops everything. */
export const CLOSED_UNIT = 'compliance-agent-egress-closed.service';
const STATE_FILE = 'state.json';
const READABLE = 0o644;
const ROOT = 0;
const TOOL_DEADLINE_MS = 20_000;
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
/** sync-trust may be putting several documents in their places just now. */
const SECOND_LOOK_MS = 1_000;

export interface EgressDeps {
  readonly config: Pick<
    Config,
    'allowed_hosts' | 'root_hosts' | 'timestamp_url' | 'central_url' | 'provision_dir' | 'egress_refresh_s'
  >;
  /** Of the helpers, root's alone. */
  readonly heldDir: string;
  /** Where the state is left, for everybody to read. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly kernel: Pick<KernelClock, 'isSynchronised'>;
  readonly exec: Exec;
  readonly resolve: (names: readonly string[]) => Promise<ReadonlyMap<string, Resolved>>;
}

export interface Refreshed {
  readonly state: EgressState;
  /** Of the turn before in this boot; null for the first. */
  readonly before: EgressState | null;
}

/**
 * The state is written in any case; `problem` in it says what failed.
 *
 * @throws file_… where the state cannot be written
 */
export async function refreshEgress(deps: EgressDeps): Promise<Refreshed> {
  const { clock, config, stateDir } = deps;
  const path = join(stateDir, STATE_FILE);
  const before = existsSync(path)
    ? parseEgressState(readUnforgeableFile(path, MAX_EGRESS_BYTES, ROOT).toString('utf8'))
    : null;
  const known = before?.boot_id === clock.bootId() ? before : null;
  const warnings: string[] = [];
  const policy = await policyNow(deps, warnings);
  const central = config.central_url === null ? provisionedCentral(config.provision_dir) : { url: config.central_url };
  const wanted = wantedDoors(config, 'url' in central ? central.url : null, policy);
  const resolved = await deps.resolve(namesOf(wanted.doors));
  const nowMs = Math.floor(clock.bootMs());
  const ttlMs = EGRESS_TURNS * config.egress_refresh_s * 1_000;
  const { doors, warnings: ofDoors } = planDoors(wanted.doors, { resolved, before: known?.doors ?? [], nowMs, ttlMs });
  const { ranges, opened, warnings: ofNetworks } = networkRanges(wanted.networks);
  warnings.push(...ofDoors, ...ofNetworks);

  const common = {
    schema: 'compliance-agent/egress/v1' as const,
    boot_id: clock.bootId(),
    period_s: config.egress_refresh_s,
    policy_version: policy?.version ?? null,
    warnings,
  };
  let state: EgressState;
  try {
    const tables = await presentTables(deps.exec);
    await nft(deps.exec, ['-f', '-'], openingText({ doors, ranges, nowMs, ttlMs, isClosed: tables.isClosed }));
    const networks = opened.map(({ prefix, ports }) => ({ prefix, ports: [...ports], until: nowMs + ttlMs }));
    const refreshed_at = Math.floor(clock.wallMs() / 1_000);
    const problem = problemOf(central, doors);
    state = { ...common, refreshed_at, doors, networks, problem };
  } catch (error) {
    if (!isAgentError(error)) throw error;
    // Without that table everything is open, so it is closed first and complained about then.
    await closeAll(deps.exec, warnings);
    const problem = { code: error.code, sentence: error.message };
    state = { ...common, refreshed_at: known?.refreshed_at ?? null, doors: [], networks: [], problem };
  }
  writeFileAtomic(path, `${JSON.stringify(state)}\n`, { mode: READABLE, sync: false });
  return { state, before: known };
}

/** A policy that does not verify opens nothing; the rest goes on. */
async function policyNow(deps: EgressDeps, warnings: string[]): Promise<SitePolicy | null> {
  const { clock, kernel, heldDir } = deps;
  const look = (): SitePolicy | null => {
    const reading: ClockReading = {
      wallMs: clock.wallMs(),
      bootMs: clock.bootMs(),
      bootId: clock.bootId(),
      synchronised: kernel.isSynchronised(),
    };
    return readHeldPolicy(heldDir, reading);
  };
  try {
    return look();
  } catch (first) {
    if (!isAgentError(first)) throw first;
  }
  await clock.sleep(SECOND_LOOK_MS);
  try {
    return look();
  } catch (error) {
    if (!isAgentError(error)) throw error;
    warnings.push(`the site policy opens nothing: ${error.code}: ${error.message}`);
    return null;
  }
}

/** @throws egress_not_loaded */
async function nft(exec: Exec, words: readonly string[], stdin = ''): Promise<string> {
  const result = await exec.run(['nft', ...words], {
    deadlineMs: TOOL_DEADLINE_MS,
    stdin,
    maxOutputBytes: MAX_OUTPUT_BYTES,
  });
  if (result.status === 'exited' && result.code === 0) return result.stdout.toString('utf8');
  const said =
    result.status === 'exited' ? (result.stderr.toString('utf8').trim().split('\n')[0] ?? '') : result.status;
  throw new AgentError('egress_not_loaded', `nft ${words.join(' ')}: ${said.slice(0, 300)}`, {
    place: 'packet filter',
  });
}

/** The table must be there and drop what no rule lets out. @throws egress_not_loaded */
async function presentTables(exec: Exec): Promise<{ readonly isClosed: boolean }> {
  // Without the elements of sets.
  const ruleset = readRuleset(await nft(exec, ['-t', '-j', 'list', 'ruleset']));
  const isClosed = ruleset?.tables.some(({ family, name }) => isTable({ family, name }, CLOSED_TABLE)) ?? false;
  const drops = ruleset?.baseChains.some(
    ({ family, table, hook, type, policy }) =>
      isTable({ family, name: table }, EGRESS_TABLE) && hook === 'output' && type === 'filter' && policy === 'drop',
  );
  if (drops === true) return { isClosed };
  throw new AgentError('egress_not_loaded', `the table ${EGRESS_TABLE.family} ${EGRESS_TABLE.name} drops nothing`, {
    place: 'packet filter',
  });
}

type Table = { readonly family: string; readonly name: string };
const isTable = (a: Table, b: Table): boolean => a.family === b.family && a.name === b.name;

async function closeAll(exec: Exec, warnings: string[]): Promise<void> {
  const { status, code } = await exec.run(['systemctl', 'start', CLOSED_UNIT], { deadlineMs: TOOL_DEADLINE_MS });
  if (status !== 'exited' || code !== 0) warnings.push(`${CLOSED_UNIT} could not be started: this machine may be open`);
}

function problemOf(
  central: ReturnType<typeof provisionedCentral>,
  doors: EgressState['doors'],
): EgressState['problem'] {
  if ('problem' in central) {
    return { code: 'egress_central_unknown', sentence: `no door to Central Command: ${central.problem}` };
  }
  const door = doors.find(({ why }) => why.includes('central_command'));
  if (door === undefined || door.addresses.length > 0 || door.problem === THIS_MACHINE) return null;
  const why = door.problem ?? 'has no address that a machine could have';
  return { code: 'egress_name_unresolved', sentence: `no door to Central Command: ${door.host} ${why}` };
}
