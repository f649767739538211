// A whole site with one Windows server that drifts: signed content with short times, standing grants, policies. For tests and the demo.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { incidentOf } from '../../agent/healing/incident-store.ts';
import type { Incident } from '../../agent/healing/incident.ts';
import type { Ticket } from '../../agent/outputs/ticket.ts';
import { openStore, type IncidentLine, type Store } from '../../agent/store/open-store.ts';
import type { Predicate } from '../../agent/wire/schemas/entry.ts';
import { run, until } from '../../tools/demo/process.ts';
import { APPLIANCE, SITE, type Site } from '../../tools/demo/site.ts';
import { PARTS, type Part } from '../lab/healing-host.ts';

export const TARGET = 'srv-1';
export const ACCOUNT = { user: 'svc-compliance', domain: 'CLINIC', password: 'lab only: Grüße' };

const RULES: Readonly<Record<Part, string>> = {
  firewall: 'windows-firewall-off',
  logging: 'windows-audit-incomplete',
  av: 'windows-av-off',
};
const DAYS = '[mon, tue, wed, thu, fri, sat, sun]';
export const WINDOWS = {
  /** Opens in some hours, whatever time it is now. */
  closed: (): string => {
    const at = (hours: number): string =>
      new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 14).concat('00');
    return `windows: [{ days: ${DAYS}, start: "${at(5)}", end: "${at(6)}" }]`;
  },
  /** Around the clock, in two windows that overlap at midnight. */
  open: (): string =>
    `windows:\n  - { days: ${DAYS}, start: "00:00", end: "23:59" }\n  - { days: ${DAYS}, start: "23:58", end: "00:01" }`,
};

export interface HealingSite {
  /** Signs content with these standing grants. Rules are critical, so that one look is enough, and looks come within seconds. */
  signContent(grants: readonly Part[]): Promise<void>;
  signPolicy(o: { readonly windows: string; readonly healing: string }): Promise<void>;
  addTarget(port: number): Promise<void>;
  /** Everything in the log of the appliance. */
  entries(): readonly Predicate[];
  /** About this check on the machine. */
  tickets(check: string): readonly Ticket[];
  incident(part: Part): Incident | null;
  /** Waits until the incident of this part is in that state. */
  untilState(part: Part, state: Incident['state'], withinMs?: number): Promise<Incident>;
  story(part: Part): readonly IncidentLine[];
}

const replaced = (path: string, ...changes: readonly (readonly [RegExp, string])[]): void =>
  writeFileSync(
    path,
    changes.reduce((text, [from, to]) => text.replace(from, to), readFileSync(path, 'utf8')),
  );

/** `dir`: a folder for what is made here. */
export function healingSite(site: Site, dir: string, repo: string): HealingSite {
  const content = join(dir, 'content');
  /** Read beside the running daemon, as the command line reads it. */
  const reading = <T>(read: (store: Store) => T): T => {
    const store = openStore({ dir: site.paths.state, clock: { wallMs: () => Date.now() }, readOnly: true });
    try {
      return read(store);
    } finally {
      store.close();
    }
  };
  const self: HealingSite = {
    async signContent(grants) {
      for (const part of ['baselines', 'controls', 'rules', ...Object.values(PARTS).map((id) => join('windows', id))]) {
        cpSync(join(repo, 'runbooks', part), join(content, part), { recursive: true });
      }
      for (const id of Object.values(PARTS)) {
        const yaml = join(content, 'windows', id, 'runbook.yaml');
        replaced(yaml, [/within_s: \d+, stable_for_s: \d+/, 'within_s: 3, stable_for_s: 1']);
      }
      for (const id of Object.values(RULES)) {
        const yaml = join(content, 'rules', `${id}.yaml`);
        replaced(
          yaml,
          [/severity: \w+/, 'severity: critical'],
          [/max_attempts: \d/, 'max_attempts: 1'],
          [/count: \d/, 'count: 2'],
        );
      }
      const file = join(dir, 'grants.yaml');
      const lines = grants.map(
        (part) =>
          `  - { grant_id: let-${part}, rule: ${RULES[part]}, runbook: ${PARTS[part]}, baseline: workstation, scope: targets,` +
          ` class: ${part === 'firewall' ? 'disruptive' : 'routine'}, not_after: "${new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 19)}Z" }`,
      );
      writeFileSync(file, `grants:\n${lines.join('\n')}\n`);
      const with_ = grants.length === 0 ? [] : ['--grants', file];
      await site.central('content', 'sign', '--dir', content, '--keys', site.paths.keys, ...with_);
    },
    async signPolicy({ windows, healing }) {
      const file = join(dir, 'policy.yaml');
      const text = `time_zone: UTC\ntarget_networks: [{ prefix: 127.0.0.0/8, ports: [${port}] }]\nhealing: ${healing}\n${windows}\n`;
      writeFileSync(file, text);
      await site.central('policy', 'sign', file, '--site', SITE, '--keys', site.paths.keys);
    },
    async addTarget(given) {
      port = given;
      const argv = [
        ...[process.execPath, join(repo, 'central/main.ts'), 'target', 'add', TARGET, '--appliance', APPLIANCE],
        ...[
          '--address',
          '127.0.0.1',
          '--port',
          String(given),
          '--http',
          '--auth',
          'ntlm',
          '--credential',
          'clinic-svc',
        ],
        ...['--role', 'member-server', '--principal', ACCOUNT.user, '--domain', ACCOUNT.domain],
        ...['--data', site.paths.data, '--json'],
      ] as unknown as [string, ...string[]];
      const { code, output } = await run(argv, { cwd: repo, env: {}, stdin: `${ACCOUNT.password}\n` });
      if (code !== 0) throw new Error(`target add ended with ${code}:\n${output}`);
    },
    entries: () =>
      reading(({ entries }) =>
        entries
          .list(1, { limit: 100_000, newestFirst: false })
          .map(({ line }) => statementOf(line.toString()).predicate),
      ),
    tickets: (check) =>
      reading(({ tickets }) =>
        tickets
          .all()
          .map((text) => JSON.parse(text) as Ticket)
          .filter(({ key }) => key === `finding/${TARGET}/${check}`),
      ),
    incident: (part) =>
      reading(({ incidents }) =>
        incidents
          .list({ limit: 100 })
          .map(incidentOf)
          .find(({ condition }) => condition === RULES[part]),
      ) ?? null,
    untilState: (part, state, withinMs = 90_000) =>
      until(
        `the incident ${RULES[part]} is ${state}`,
        () => {
          const incident = self.incident(part);
          return incident?.state === state ? incident : null;
        },
        withinMs,
        () => JSON.stringify([self.incident(part), self.story(part)]),
      ),
    story: (part) => reading(({ incidents }) => incidents.lines(self.incident(part)?.id ?? '')),
  };
  let port = 0;
  return self;
}
