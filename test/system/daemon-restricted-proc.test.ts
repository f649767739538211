import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';

const why = process.getuid?.() === 0 ? null : 'needs root, for a mount namespace';
const OPTIONS = 'subset=pid,hidepid=invisible';
const WITHIN_MS = 90_000;
/** Needs the sockets of the machine, which such a /proc does not show. */
const FIREWALL = `firewall:
    expected: declared
    default_policy: { input: any, output: any, forward: any }
    tables: []
    undeclared_tables: allow
    listeners: []`;

describe('a daemon that sees nothing in /proc but itself', () => {
  const mount = `mount -t proc -o ${OPTIONS} proc /proc && exec "$@"`;
  const site = demoSite([], undefined, { agentWrap: ['unshare', '--mount', 'sh', '-c', mount, 'sh'] });

  it('enrols, is answered and uploads; what it cannot read is unknown with a reason and never passes', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    await site.provision();
    const config = readFileSync(site.paths.config, 'utf8');
    const shipped = /baseline_path: (.*)/.exec(config)?.[1] ?? '';
    const baseline = join(site.paths.data, '..', 'baseline.yaml');
    writeFileSync(
      baseline,
      readFileSync(shipped, 'utf8').replace(/firewall:\n {4}expected: none\n {4}reason: [^\n]*/, FIREWALL),
    );
    writeFileSync(site.paths.config, config.replace(shipped, baseline));
    const agent = site.startAgent();
    await site.confirm();
    const { findings } = await site.untilStatus(
      'it works',
      (s) =>
        s.blocking_reason === null && s.findings.length > 3 && s.stored_size !== null && s.stored_size === s.log?.size,
      WITHIN_MS,
    );
    const firewall = findings.find((finding) => finding.check === 'firewall');
    expect(firewall?.result).toBe('unknown');
    expect(firewall?.sentence).toMatch(/listening sockets could not be read/);
    const passed = linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'finding' && predicate.result === 'pass' ? [predicate.check.id] : [];
    });
    expect(passed).not.toContain('firewall');
    expect(agent.output()).not.toMatch(/code=internal|defect/);
  });

  it('does not take the signed time of another process for that of its own boot, and is told the time anew', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    const boots = (): Set<string> =>
      new Set(linesOnDisk(site).map((line) => statementOf(line).predicate.clock.boot_id));
    const before = boots();
    expect(before.size).toBe(1);
    await site.endAgent('SIGTERM');
    site.startAgent();
    const size = linesOnDisk(site).length;
    await site.untilStatus(
      'it is answered, and writes',
      (s) => s.last_answer_at !== null && s.clock_offset_s !== null && s.log!.size > size,
      WITHIN_MS,
    );
    expect(boots().size).toBe(2);
  });
});
