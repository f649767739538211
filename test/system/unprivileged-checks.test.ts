// Every check, run by a user without privileges in a system in which everything is there to be read, and by root beside him: what
// needs root is unknown and never a pass; what does not is read as root reads it.
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHECKS } from '../../agent/checks/registry.ts';
import { PROBES, type FactSet, type ProbeName } from '../../agent/facts/probes.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { live } from '../support/check-rows.ts';
import { databaseFile } from '../support/clamav-database.ts';
import { fixture } from '../support/fixture-facts.ts';
import { judgeLive } from '../support/judge-live.ts';
import { bootContainer, nspawnProblem, type Container } from '../support/nspawn.ts';

const problem = nspawnProblem('nft', 'restic', 'setpriv');
const PROGRAM = join(import.meta.dirname, '../fixtures/programs/print-facts-at.ts');
const BINARY = '/usr/local/sbin/protector';
const LAB = '/srv/lab';
const NOBODY = 65_534;
/** Far beyond the agent's own: what is tried here is who may read, not how fast. */
const DEADLINE_MS = 300_000;
const AS_NOBODY = [
  ...['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'],
  '--',
];
const USER = live('user without privileges in a booted container', 'systemctl');
const ROOT = live('root in the same container', 'systemctl');
const WATCH = {
  backup: {
    repositoryFile: `${LAB}/repository-file`,
    passwordFile: `${LAB}/password`,
    host: null,
    paths: [],
    readDataPercent: 100,
    restorePath: `${LAB}/source`,
  },
  avEdr: {
    unit: 'protector.service',
    binary: BINARY,
    databaseDir: '/var/lib/protector',
    scanUnit: null,
    configFile: '/etc/protector.conf',
  },
  logging: { forwarder: null },
};

let box: Container;
let binary: string;
beforeAll(async () => {
  if (problem !== null) return;
  box = await bootContainer({
    files: {
      '/etc/systemd/system/protector.service': `[Service]\nType=exec\nExecStart=${BINARY} infinity\n`,
      '/etc/protector.conf': 'ExcludePath ^/proc/\n',
      [`${LAB}/source/file`]: 'backed up\n',
      [`${LAB}/repository-file`]: `${LAB}/repository\n`,
      [`${LAB}/password`]: 'of the test\n',
    },
  });
  const within = (path: string): string => join(box.root, path);
  mkdirSync(within('/usr/local/sbin'), { recursive: true });
  mkdirSync(within('/var/lib/protector'), { recursive: true });
  const program = readFileSync(within('/bin/sleep'));
  writeFileSync(within(BINARY), program, { mode: 0o755 });
  binary = createHash('sha256').update(program).digest('hex');
  writeFileSync(within('/var/lib/protector/daily.cvd'), databaseFile(Date.now() - 3_600_000));
  chmodSync(within(`${LAB}/password`), 0o600);
  box.run(['systemctl', 'start', 'protector.service']);
  box.run(['nft', '-f', '-'], fixture('nft/egress.nft'));
  const environment = [`RESTIC_REPOSITORY=${LAB}/repository`, `RESTIC_PASSWORD_FILE=${LAB}/password`];
  for (const words of [['init'], ['backup', `${LAB}/source`]])
    box.run(['env', ...environment, 'restic', '--no-cache', ...words]);
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

function read(names: readonly ProbeName[], as: readonly string[] = []): FactSet {
  const asked = JSON.stringify({
    names,
    at: { watch: WATCH, databaseCheck: 'ok', skewMs: 0, deadlineMs: DEADLINE_MS },
  });
  return JSON.parse(box.run(['env', ...as, process.execPath, PROGRAM], asked)) as FactSet;
}

/** Everything that can be declared is as it is, so that nothing but the lack of a privilege keeps a check from its pass. */
function declared(facts: FactSet): (yaml: string) => string {
  const table = facts.firewall?.status === 'read' ? facts.firewall.value.tables.find((t) => t.family === 'inet') : null;
  return (yaml) =>
    yaml
      .replace('binary_sha256: none', `binary_sha256: ${binary}`)
      .replace(/scan: .*/, 'scan: { expected: none, reason: none is made }')
      .replace(/(name: compliance-agent-egress, sha256:) none/, `$1 ${table?.sha256 ?? 'none'}`)
      .replace('undeclared_tables: fail', 'undeclared_tables: allow')
      .replace('egress_refresh: required', '')
      .replace(/ {4}listeners:\n(?: {6}.*\n)+/, '    listeners: any\n')
      .replace('integrity: { days: 8, read_data_percent: 100 }', 'integrity: { days: 8, read_data_percent: 1 }');
}

/** Those that rest on a fact for root: a oneshot of root reads it for the daemon. The journal asks for a group instead. */
const NEEDS_ROOT = CHECKS.filter(({ probes }) => probes.some((name) => PROBES[name].asRoot !== undefined)).map(
  ({ id }) => id,
);

describe('a user without privileges', () => {
  it('is kept from four of the nine checks, which need root', () => {
    expect(CHECKS).toHaveLength(9);
    expect(NEEDS_ROOT.sort()).toEqual(['av_edr', 'backup', 'encryption', 'firewall']);
  });

  it.each(CHECKS.map(({ id }) => id))(
    'never passes %s where a fact needs root, and reads the rest as root does',
    (id) => {
      const probes = CHECKS.find((check) => check.id === id)?.probes ?? [];
      const byRoot = read(probes);
      const byUser = read(probes, AS_NOBODY);
      const edit = declared(byRoot);
      const asRoot: Finding = judgeLive(id, byRoot, ROOT, edit, `read by root: ${id}`);
      const asUser: Finding = judgeLive(id, byUser, USER, edit, `read without privileges: ${id}`);
      // Root reads everything here, so what is missing below is the privilege and nothing else.
      for (const name of probes) expect(byRoot[name]?.status, name).toBe('read');

      if (id === 'encryption') {
        // A volume in clear is a fail for whoever sees it; without one, an overlay hides from both what it lies on. That a header
        // needs root is in encryption-check.test.ts.
        expect(asUser.result).toBe(asRoot.result);
        expect(asUser.result).not.toBe('pass');
      } else if (NEEDS_ROOT.includes(id) || id === 'logging') {
        expect(asUser.result).toBe('unknown');
        expect(Object.values(asUser.facts)).toContain('denied');
        if (id === 'firewall' || id === 'av_edr') expect(asRoot.result).toBe('pass');
      } else if (id === 'self') {
        // Another process with other privileges: each is judged as it is.
        expect([asRoot.facts.runs_as_root, asUser.facts.runs_as_root]).toEqual([true, false]);
      } else {
        expect([asUser.result, asUser.facts_digest]).toEqual([asRoot.result, asRoot.facts_digest]);
      }
    },
  );
});
