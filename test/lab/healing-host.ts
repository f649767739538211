// A Windows server in memory whose firewall, audit policy and protection against malware drift, are healed, or are held as they are by
// somebody else. What it prints has the shape of the recordings; which runbook asks is told by the very script that comes.
import { labRunbook } from './play-scenario.ts';
import { actionsLine, factsLine } from './simulated-site.ts';
import { asMachine, readBootstrapInput } from './windows-host.ts';
import type { CommandHandler } from './winrm-server/remote-command.ts';

export const PARTS = { firewall: 'RB-WIN-FIREWALL-001', logging: 'RB-WIN-LOGGING-001', av: 'RB-WIN-AV-001' } as const;
export type Part = keyof typeof PARTS;

export interface HealingHost {
  readonly handler: CommandHandler;
  /** Whether each part is as it should be. */
  readonly good: Record<Part, boolean>;
  /** Parts that somebody else sets back before anybody can look. */
  readonly undone: Set<Part>;
  /** Every phase that ran, in order, as `part phase`. */
  readonly phases: readonly string[];
  /** Waited for in the middle of a phase, after what it changes was changed. */
  during: (part: Part, phase: string) => Promise<void>;
}

/** `2026-11-20T10:00:00Z`: as scripts print times. */
const stamp = (atMs: number): string => new Date(atMs).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** How a machine is at a moment, as far as one part of it goes. */
export interface PartState {
  readonly role: string;
  readonly good: boolean;
  /** It will undo what was changed by itself. */
  readonly armed: boolean;
  /** By its own clock, Unix milliseconds. */
  readonly atMs: number;
}

/** What detect and verify print of that part. */
export const printedFacts = (part: Part, { role, good, armed, atMs }: PartState): string =>
  factsLine({
    host: { role, build: 20_348, powershell: 7, read_at: stamp(atMs) },
    unread: [],
    ...FACTS[part](good, armed, atMs),
  });

/** What a change of that part prints; `back`: what was changed is undone. */
export function printedChange(part: Part, back = false): string {
  const { what, from, to } = CHANGES[part];
  return actionsLine('changed', [back ? { what, from: to, to: from } : { what, from, to }]);
}
export const printedConfirmation = (): string =>
  actionsLine('changed', [{ what: 'revert_armed', from: true, to: false }]);

const profile = (name: string, enabled: string) => ({ name, enabled, inbound: 'Block' });
const unset = (name: string) => ({ name, enabled: 'NotConfigured', inbound: 'NotConfigured' });

const AUDIT = [
  ...['0CCE9210', '0CCE9212', '0CCE9215', '0CCE9216', '0CCE9217', '0CCE921B', '0CCE921D', '0CCE9224', '0CCE9245'],
  ...['0CCE922F', '0CCE9235', '0CCE9236', '0CCE9237', '0CCE923B', '0CCE923C', '0CCE923F', '0CCE9242'],
].map((start) => `${start}-69AE-11D9-BED3-505054503030`);
const log = (name: string, mib: number) => ({ name, enabled: true, mode: 'Circular', max_mib: mib, policy_mib: null });

const FACTS: Readonly<Record<Part, (good: boolean, armed: boolean, atMs: number) => object>> = {
  firewall: (good, armed) => ({
    service: { running: true },
    profiles: {
      list: [profile('Domain', 'True'), profile('Private', good ? 'True' : 'False'), profile('Public', 'True')],
    },
    policy: { list: ['Domain', 'Private', 'Public'].map(unset) },
    reach: { listeners: 6, allow_rules: 7, would_be_cut: [], remote_without_rule: [] },
    would_cut: 0,
    revert: { armed },
  }),
  logging: (good) => ({
    service: { running: true },
    audit: { subcategories_count: true, list: AUDIT.map((id) => ({ id, value: 3 })) },
    logs: { list: [log('security', good ? 192 : 20), log('system', 32), log('application', 64)] },
    cleared: { count: 0, last_at: null },
    oldest: { security_at: '2026-10-01T06:00:00Z' },
    forwarding: { configured: false },
    for_a_person: 0,
  }),
  av: (good, _, atMs) => ({
    defender: {
      state: 'running',
      status: {
        ...{ mode: 'normal', antivirus: true, realtime: good, behavior: true, downloads: true, tamper: false },
        signatures_at: stamp(atMs),
      },
      exclusions: { paths: 1, extensions: 0, processes: 1, broad: 0 },
    },
    others: { security_center: null, services: { declared: 0, running: 0 } },
    policy: { off: [] },
    for_a_person: 0,
  }),
};

const CHANGES: Readonly<Record<Part, { what: string; from: unknown; to: unknown }>> = {
  firewall: { what: 'private_enabled', from: false, to: true },
  logging: { what: 'security_max_mib', from: 20, to: 192 },
  av: { what: 'realtime', from: false, to: true },
};

/** The part whose runbook a script belongs to. */
export const partsByScript = (): ReadonlyMap<string, Part> =>
  new Map(
    Object.entries(PARTS).flatMap(([part, id]) =>
      [...labRunbook(id).loaded.scripts.values()].map((script) => [script, part as Part] as const),
    ),
  );

export function healingHost(good: Record<Part, boolean>): HealingHost {
  const partOf = partsByScript();
  const phases: string[] = [];
  let armed = false;
  const self: HealingHost = {
    good,
    undone: new Set(),
    phases,
    during: () => Promise.resolve(),
    handler: asMachine(async (run) => {
      const { script, input } = readBootstrapInput(await run.stdin());
      const part = partOf.get(script);
      if (part === undefined) return 1;
      const { phase } = input;
      phases.push(`${part} ${phase}`);
      let printed: string;
      if (phase === 'detect' || phase === 'verify') {
        const isArmed = part === 'firewall' && armed;
        printed = printedFacts(part, { role: 'member_server', good: good[part], armed: isArmed, atMs: Date.now() });
      } else if (phase === 'confirm') {
        armed = false;
        printed = printedConfirmation();
      } else {
        const isBack = phase === 'rollback';
        printed = printedChange(part, isBack);
        if (phase === 'remediate') {
          good[part] = !self.undone.has(part);
          armed = part === 'firewall';
        }
        if (isBack) good[part] = false;
      }
      await self.during(part, phase);
      run.write('stdout', Buffer.from(printed));
      return 0;
    }),
  };
  return self;
}
