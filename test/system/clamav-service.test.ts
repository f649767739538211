// ClamAV's own service, booted by systemd: clamd, clamscan and a database file with the header of a real one.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FactSet } from '../../agent/facts/probes.ts';
import type { AvEdrWatch } from '../../agent/facts/watch.ts';
import { live } from '../support/check-rows.ts';
import { databaseFile } from '../support/clamav-database.ts';
import { judgeLive } from '../support/judge-live.ts';
import { bootContainer, nspawnProblem, type Container } from '../support/nspawn.ts';

const PROGRAM = join(import.meta.dirname, '../fixtures/programs/print-facts-at.ts');

describe("ClamAV's own service", () => {
  const clamProblem = nspawnProblem('clamd', 'clamscan');
  const CLAMAV = live("ClamAV's service in a booted container", 'clamd');
  const UNIT = 'clamav-daemon.service';
  /** The mirrors cannot be asked here: clamd runs with a signature of our own, and the header of a real database lies beside it. */
  const OWN = '/var/lib/own-signatures';
  let box: Container;
  let digest: string;
  const watch: AvEdrWatch = {
    unit: UNIT,
    binary: '/usr/sbin/clamd',
    databaseDir: '/var/lib/clamav',
    scanUnit: 'own-scan.service',
    configFile: '/etc/clamav/clamd.conf',
  };
  const within = (path: string): string => join(box.root, path);
  const header = (hoursAgo: number): void =>
    writeFileSync(within('/var/lib/clamav/daily.cvd'), databaseFile(Date.now() - hoursAgo * 3_600_000));
  const found = () => {
    const asked = { names: ['av_edr'], at: { watch: { avEdr: watch } } };
    const facts = JSON.parse(box.run([process.execPath, PROGRAM], JSON.stringify(asked))) as FactSet;
    return judgeLive('av_edr', facts, CLAMAV, (yaml) =>
      yaml.replace('binary_sha256: none', `binary_sha256: ${digest}`),
    );
  };

  beforeAll(async () => {
    if (clamProblem !== null) return;
    box = await bootContainer({
      files: {
        [`/etc/systemd/system/${UNIT}.d/own.conf`]: '[Unit]\nConditionPathExistsGlob=\nStartLimitIntervalSec=0\n',
        '/etc/clamav/clamd.conf': `LocalSocket /run/clamav/own.ctl\nUser clamav\nDatabaseDirectory ${OWN}\nExcludePath ^/proc/\n`,
        [`${OWN}/own.hdb`]: `${'0'.repeat(32)}:1:Own.Test\n`,
        '/etc/systemd/system/own-scan.service': `[Service]\nType=oneshot\nExecStart=/usr/bin/clamscan --database=${OWN} /etc/clamav\n`,
        '/etc/systemd/system/own-scan.timer': '[Timer]\nOnCalendar=weekly\n',
      },
    });
    digest = createHash('sha256')
      .update(readFileSync(within('/usr/sbin/clamd')))
      .digest('hex');
    mkdirSync(within('/var/lib/clamav'), { recursive: true });
    header(5);
  });
  beforeEach((context) => {
    context.skip(clamProblem !== null, clamProblem ?? '');
    box.run(['systemctl', 'restart', UNIT]);
    box.run(['systemctl', 'start', 'own-scan.timer']);
    box.run(['systemctl', 'start', 'own-scan.service']);
  });
  afterAll(() => (clamProblem === null ? box.close() : undefined));

  it('passes while clamd runs, its database is fresh and clamscan has ended well', () => {
    expect(found()).toMatchObject({
      result: 'pass',
      facts: { service: 'active', running: 'declared', signatures: 'fresh', scan: 'fresh' },
    });
  });

  it('fails with a database of five days ago', () => {
    header(120);
    expect(found()).toMatchObject({ result: 'fail', facts: { signatures: 'old' } });
    header(5);
  });

  it('fails when clamd was replaced by another one on the disk', () => {
    const shippedClamd = readFileSync(within('/usr/sbin/clamd'));
    writeFileSync(within('/usr/sbin/clamd.next'), Buffer.concat([shippedClamd, Buffer.from('more')]), { mode: 0o755 });
    renameSync(within('/usr/sbin/clamd.next'), within('/usr/sbin/clamd'));
    expect(found()).toMatchObject({ result: 'fail', severity: 'critical', facts: { binary: 'changed' } });
    writeFileSync(within('/usr/sbin/clamd.next'), shippedClamd, { mode: 0o755 });
    renameSync(within('/usr/sbin/clamd.next'), within('/usr/sbin/clamd'));
  });

  it('fails when clamd was stopped', () => {
    box.run(['systemctl', 'stop', UNIT]);
    expect(found()).toMatchObject({ result: 'fail', severity: 'critical', facts: { service: 'inactive' } });
  });
});
