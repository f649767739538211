import { describe, it, expect } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { cli } from '../../support/run-cli.ts';

describe('the command line', () => {
  it('prints help on stdout and exits 0 when help is asked for', async () => {
    for (const argv of [['--help'], ['-h'], ['evidence', '--help'], ['evidence', 'verify', '--help']]) {
      const { code, out, err } = await cli(argv);
      expect([code, err]).toEqual([0, '']);
      expect(out).toMatch(/^Usage: compliance-agent/);
    }
  });

  it('prints help on stderr and exits 2 when no verb is given', async () => {
    for (const argv of [[], ['evidence'], ['config']]) {
      const { code, out, err } = await cli(argv);
      expect([code, out]).toEqual([2, '']);
      expect(err).toMatch(/^Usage: compliance-agent/);
    }
  });

  it.each([
    [['statsu'], 'status'],
    [['evidence', 'verfy'], 'verify'],
    [['config', 'shwo'], 'show'],
    [['status', '--jsn'], '--json'],
    [['errors', 'json_not_stric'], 'json_not_strict'],
    [['facts', 'dsk', '--state', '/nonexistent'], 'disk'],
    [['evidence', 'list', '--kind', 'findings', '--state', '/nonexistent'], 'finding'],
  ])('asks for a mistyped word in %j whether %s was meant, and exits 2', async (argv, meant) => {
    const { code, out, err } = await cli(argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(new RegExp(`did you mean ${meant}\\?\\n$`));
  });

  it.each([
    [['version', 'extra']],
    [['status', '--nope']],
    [['status', '--config']],
    [['evidence', 'show']],
    [['evidence', 'show', '-1']],
    [['evidence', 'show', '1.5']],
    [['evidence', 'show', '0x10']],
    [['evidence', 'list', '--limit', '0']],
    [['evidence', 'list', '--epoch', '0']],
    [['evidence', 'verify', '--root-sha256', 'abc']],
    [['evidence', 'verify', 'x.jsonl', '--state', '/x']],
    [['orders', '--limit', '100001']],
    [['provision']],
  ])('refuses the arguments %j with code usage and exit 2', async (argv) => {
    const plain = await cli(argv);
    expect(plain.code).toBe(2);
    expect(plain.err).toMatch(/^usage: [^\n]* — [^\n]*\n$/);
    const asJson = await cli([...argv, '--json']);
    expect(asJson.code).toBe(2);
  });

  it('gives an error as one line for people, and as one JSON object on stdout for programs', async () => {
    const argv = ['config', 'check', '/nonexistent/config.yaml'];
    const plain = await cli(argv);
    expect(plain.out).toBe('');
    expect(plain.err).toMatch(/^config_not_found: [^\n]+ \(at \/nonexistent\/config\.yaml\) — [^\n]+\n$/);
    const asJson = await cli(['--json', ...argv]);
    expect(asJson.err).toBe('');
    expect(asJson.json()).toMatchObject({
      schema: 'compliance-agent/cli-error/v1',
      error: { code: 'config_not_found', place: '/nonexistent/config.yaml', retryable: false },
    });
    expect([plain.code, asJson.code]).toEqual([2, 2]);
  });

  it('finds the configuration by --config, then by the environment, then at its default place', async () => {
    const env = { COMPLIANCE_AGENT_CONFIG: '/nonexistent/env.yaml' };
    expect((await cli(['config', 'show', '--config', '/nonexistent/option.yaml'], { env })).err).toContain(
      'option.yaml',
    );
    expect((await cli(['config', 'show'], { env })).err).toContain('/nonexistent/env.yaml');
    expect((await cli(['config', 'show'])).err).toContain('/etc/compliance-agent/config.yaml');
  });

  it('takes the options that all verbs share before the verb and after it', async () => {
    for (const argv of [
      ['--json', 'version'],
      ['version', '--json'],
    ]) {
      expect((await cli(argv)).json()).toMatchObject({ version: '0.1.0', nixos_revision: null });
    }
  });

  it('reports a defect as internal with exit 1 and its stack on stderr', async () => {
    const { code, err } = await cli(['run', '--config', 'docs/config.example.yaml']);
    expect(code).toBe(1);
    expect(err).toMatch(/^internal: Error: this test starts no daemon/);
    expect(err).toContain('    at ');
  });

  it('hands the loaded configuration to the daemon and passes its exit code on', async () => {
    const { code } = await cli(['run', '--config', 'docs/config.example.yaml'], {
      deps: { startDaemon: (loaded) => Promise.resolve(loaded.config.poll_interval_s) },
    });
    expect(code).toBe(60);
  });

  it('ends with the exit code of the error that stopped the daemon', async () => {
    const error = new AgentError('store_locked', 'in use', { place: '/x' });
    const { code, err } = await cli(['run', '--config', 'docs/config.example.yaml'], {
      deps: { startDaemon: () => Promise.reject(error) },
    });
    expect([code, err.split(':')[0]]).toEqual([5, 'store_locked']);
  });

  it('starts no daemon with a configuration that has a mistake', async () => {
    let started = false;
    const startDaemon = () => {
      started = true;
      return Promise.resolve(0);
    };
    const { code } = await cli(['run', '--config', 'package.json'], { deps: { startDaemon } });
    expect([code, started]).toEqual([2, false]);
  });

  it('explains every error code, or one', async () => {
    const one = await cli(['errors', 'disk_full', '--json']);
    expect(one.json<{ errors: { code: string; exit: number }[] }>().errors).toMatchObject([
      { code: 'disk_full', exit: 5 },
    ]);
    const all = await cli(['errors', '--json']);
    expect(all.json<{ errors: object[] }>().errors.length).toBeGreaterThan(50);
    expect((await cli(['errors', 'constructor'])).code).toBe(2);
  });
});
