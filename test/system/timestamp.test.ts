import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadChecks } from '../../agent/daemon/load-checks.ts';
import { askForTimestamp } from '../../agent/outputs/ask-for-timestamp.ts';
import { stampCheckpoint, wantsStamp } from '../../agent/outputs/stamp-checkpoint.ts';
import { trustedStamp } from '../../agent/outputs/trusted-stamp.ts';
import { parseAuthorities, openTimestamp } from '../../agent/trust/open-timestamp.ts';
import { encodeTimestampRequest, stampedText } from '../../agent/wire/timestamp.ts';
import { randomBytes } from 'node:crypto';
import type { AgentStatus } from '../../agent/system/status-file.ts';
import { ROOT_SHA256 } from '../support/cli-state.ts';
import { demoSite } from '../support/demo-site.ts';
import { openLog } from '../support/evidence-fixtures.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { makeReportState, type ReportState } from '../support/report-state.ts';
import { cli } from '../support/run-cli.ts';
import { startTimestampAuthority, type Manner, type TimestampAuthority } from '../support/timestamp-authority.ts';

const REPO = join(import.meta.dirname, '..', '..');
const missing = ['openssl', 'python3'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
const deps = { loadChecks: (path: string | null) => loadChecks(join(REPO, 'runbooks'), path) };
const signal = new AbortController().signal;
const TEXT = stampedText('logs.example/box/1', 7, Buffer.alloc(32, 7));

let tsa: TimestampAuthority;
beforeAll(async () => {
  if (missing.length === 0) tsa = await startTimestampAuthority();
});
afterAll(async () => {
  if (missing.length === 0) await tsa.close();
});
beforeEach((context) => {
  context.skip(missing.length > 0, `${missing.join(' and ')} not found`);
  tsa.manner = 'good';
});

const authorities = (file: string): string[] => parseAuthorities(readFileSync(file, 'utf8'), file);
const ask = async (nonce = randomBytes(16)): Promise<{ response: Buffer; nonce: Buffer }> => ({
  response: await askForTimestamp(tsa.url, encodeTimestampRequest(TEXT, nonce), signal, 2_000),
  nonce,
});

describe('a timestamp of an authority made with openssl', () => {
  it.for<'rsa' | 'ec'>(['rsa', 'ec'])('is asked for, opened and trusted, with a key of the kind %s', async (kind) => {
    const own = kind === 'rsa' ? tsa : await startTimestampAuthority(kind);
    const nonce = randomBytes(16);
    const response = await askForTimestamp(own.url, encodeTimestampRequest(TEXT, nonce), signal);
    const opened = openTimestamp(response, { data: TEXT, nonce, authorities: authorities(own.caFile) });
    expect(opened.authority).toContain('signer');
    expect(Math.abs(opened.time - Date.now() / 1_000)).toBeLessThan(600);
    if (own !== tsa) await own.close();
  });

  it('does not hold for another text, another nonce, or an authority that nobody trusts', async () => {
    const { response, nonce } = await ask();
    const trusted = authorities(tsa.caFile);
    const judge = (change: object) => (): unknown =>
      openTimestamp(response, { data: TEXT, nonce, authorities: trusted, ...change });
    expect(judge({})).not.toThrow();
    expect(judge({ data: TEXT.replace('7', '8') })).toThrow(/over something else/);
    expect(judge({ nonce: randomBytes(16) })).toThrow(/nonce/);
    expect(judge({ authorities: authorities(tsa.strangerFile) })).toThrow(/does not lead/);
  });

  it('does not hold with any one byte of it changed, unless only what is not signed was changed', async () => {
    const { response, nonce } = await ask();
    const trusted = authorities(tsa.caFile);
    let held = 0;
    for (let at = 0; at < response.length; at += 1) {
      const bent = Buffer.from(response);
      bent.writeUInt8(bent.readUInt8(at) ^ 0x55, at);
      try {
        const { time } = openTimestamp(bent, { data: TEXT, nonce, authorities: trusted });
        // What still holds says the same: the bytes between the signed parts, such as unused certificates.
        expect(time).toBe(openTimestamp(response, { data: TEXT, nonce, authorities: trusted }).time);
        held += 1;
      } catch (error) {
        expect(['timestamp_invalid', 'timestamp_refused']).toContain((error as { code?: string }).code);
      }
    }
    expect(held).toBeLessThan(response.length / 2);
  });

  it.for<[Manner, string, RegExp]>([
    ['other nonce', 'timestamp_invalid', /nonce/],
    ['other imprint', 'timestamp_invalid', /over something else/],
    ['rejection', 'timestamp_refused', /status 2/],
    ['web page', 'timestamp_refused', /text\/html/],
    ['error status', 'timestamp_refused', /status 503/],
    ['nonsense', 'timestamp_invalid', /malformed/],
    ['cut off', 'timestamp_invalid', /malformed/],
    ['huge', 'timestamp_refused', /larger/],
    ['hanging', 'timestamp_refused', /no answer within 2 s/],
    ['away', 'timestamp_refused', /cannot be reached/],
  ])(
    'is refused with one reason and nothing is kept where the authority answers with %s',
    async ([manner, code, why]) => {
      tsa.manner = manner;
      const { store, log, checkpoint, done } = stampedState();
      const stamp = stampCheckpoint({ ...common(), store, log, deadlineMs: 2_000 }, checkpoint, signal);
      const error = await expectCodeAsync(() => stamp, code as never);
      expect(error.message).toMatch(why);
      expect(store.timestamps.all(checkpoint.origin)).toEqual([]);
      done();
    },
  );

  it('is refused in plain words where nobody listens, and ends at once where the daemon stops', async () => {
    const nobody = askForTimestamp('http://127.0.0.1:9/', Buffer.alloc(1), signal);
    expect((await expectCodeAsync(() => nobody, 'timestamp_refused')).message).toContain('ECONNREFUSED');
    tsa.manner = 'hanging';
    const stopping = new AbortController();
    const hanging = askForTimestamp(tsa.url, encodeTimestampRequest(TEXT, randomBytes(16)), stopping.signal);
    stopping.abort(new Error('stopping'));
    await expect(hanging).rejects.toThrow('stopping');
  });
});

const common = () => ({
  ids: { randomBytes: (length: number) => randomBytes(length) },
  url: tsa.url,
  authorities: authorities(tsa.caFile),
});

let made: ReportState | null = null;
afterEach(() => {
  if (made !== null) rmSync(made.dir, { recursive: true, force: true });
  made = null;
});

/** A state with a cosigned checkpoint, opened as the daemon has it. */
function stampedState() {
  made = makeReportState();
  const { store, log } = openLog(made.dir);
  const checkpoint = store.checkpoints.latest(made.origin)!;
  return { store, log, checkpoint, state: made, done: () => store.close() };
}

describe('a bundle with a timestamp', () => {
  const exported = async () => {
    const { store, log, checkpoint, state, done } = stampedState();
    expect(wantsStamp(checkpoint, store)).toBe(true);
    await stampCheckpoint({ ...common(), store, log }, checkpoint, signal);
    expect(wantsStamp(checkpoint, store)).toBe(false);
    done();
    const out = join(state.dir, 'bundle');
    expect((await cli(['evidence', 'export', '--state', state.dir, '--out', out], { deps })).code).toBe(0);
    const stamps = join(out, 'logs', 'main-street-1', '1', 'timestamps');
    return { out, stamps, size: checkpoint.size, total: state.size + 1 };
  };
  const verify = (out: string, ...argv: string[]) =>
    cli(['evidence', 'verify', out, '--root-sha256', ROOT_SHA256, ...argv], { deps });

  it('verifies with openssl ts alone, and counts as a second operator for who trusts its authority', async () => {
    const { out, stamps, size, total } = await exported();
    const openssl = (ca: string) =>
      spawnSync('openssl', ['ts', '-verify', '-data', `${size}.txt`, '-in', `${size}.tsr`, '-CAfile', ca], {
        cwd: stamps,
        encoding: 'utf8',
      });
    expect(openssl(tsa.caFile).stdout + openssl(tsa.caFile).stderr).toContain('Verification: OK');
    expect(openssl(tsa.strangerFile).status).not.toBe(0);
    const plain = await verify(out, '--json');
    expect([plain.code, plain.json()]).toMatchObject([0, { timestamps: 1, ranges: [{ range: 'witnessed=1' }, {}] }]);
    const counted = await verify(out, '--tsa-ca', tsa.caFile, '--json');
    expect([counted.code, counted.json()]).toMatchObject([
      0,
      {
        ranges: [
          { from_seq: 0, to_seq: size, range: 'witnessed>=2', by: ['witness', 'timestamp'] },
          { from_seq: size, to_seq: total, range: 'unanchored', by: [] },
        ],
      },
    ]);
    expect((await verify(out, '--tsa-ca', tsa.caFile)).out).toContain('witnessed≥2 (operator, timestamp authority)');
    const python = spawnSync('python3', ['verify.py', '--root-sha256', ROOT_SHA256], { cwd: out, encoding: 'utf8' });
    expect([python.status, python.stdout.split('\n')[0]]).toEqual([0, 'verdict: VERIFIED']);
  });

  it('counts in status only over the root that the log has, under an authority that is trusted', async () => {
    const { store, log, checkpoint, done } = stampedState();
    const judge = (file = tsa.caFile) => trustedStamp(store, log, authorities(file));
    expect(judge()).toBeNull();
    const at = await stampCheckpoint({ ...common(), store, log }, checkpoint, signal);
    expect(judge()).toEqual({ origin: checkpoint.origin, size: checkpoint.size, at });
    expect(judge(tsa.strangerFile)).toBeNull();
    // Signed by the right authority, over something else: the next one at the log's end, and one beyond it.
    const { response } = await ask();
    for (const size of [log.size(), log.size() + 1]) {
      store.timestamps.save({ ...checkpoint, size, response, at });
      expect(judge()).toBeNull();
    }
    done();
  });

  it('does not verify under an authority that is not its own, nor with the timestamp of another text', async () => {
    const { out, stamps, size } = await exported();
    expect((await verify(out, '--tsa-ca', tsa.strangerFile)).code).toBe(4);
    const { response } = await ask();
    writeFileSync(join(stamps, `${size}.tsr`), response);
    rewriteManifest(out);
    for (const more of [[], ['--tsa-ca', tsa.caFile]]) {
      const { code, json } = await verify(out, '--json', ...more);
      expect([code, json<{ code: string }>().code]).toEqual([4, 'timestamp_invalid']);
    }
    writeFileSync(join(stamps, `${size}.txt`), TEXT);
    rewriteManifest(out);
    const { code, json } = await verify(out, '--json');
    expect([code, json<{ code: string }>().code]).toEqual([4, 'log_root_mismatch']);
    const python = spawnSync('python3', ['verify.py', '--root-sha256', ROOT_SHA256, '--json'], {
      cwd: out,
      encoding: 'utf8',
    });
    expect((JSON.parse(python.stdout) as { logs: { code: string }[] }).logs[0]?.code).toBe('log_root_mismatch');
  });
});

describe('a daemon that is told of a timestamp authority', () => {
  const site = demoSite();
  const timestampStage = (status: AgentStatus) => status.stages.find(({ name }) => name === 'timestamp');
  const logged = (phrase: string): string[] =>
    (site.agentProcess()?.output() ?? '').split('\n').filter((line) => line.includes(phrase));
  const transmissions = async (): Promise<unknown[]> => {
    const { output } = await site.cli('evidence', 'list', '--kind', 'transmission', '--json');
    return (JSON.parse(output) as { entries: unknown[] }).entries;
  };
  const json = async (...argv: string[]): Promise<unknown> => {
    const { code, output } = await site.cli(...argv, '--json');
    expect(code, output).toBe(0);
    return JSON.parse(output);
  };
  /** Restarts are when a stage is due at once: the daily question is not waited for. */
  const restart = (): void => void site.startAgent();

  it('says one reason where it is away and goes on with all the rest, and asks again within the hour', async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    await site.untilStatus('the log is witnessed', (status) => status.witnessed !== null);
    expect(await site.endAgent('SIGTERM')).toBe(0);
    appendFileSync(site.paths.config, `timestamp_url: ${tsa.url}\ntimestamp_ca_path: ${tsa.caFile}\n`);
    tsa.manner = 'away';
    const askedBefore = tsa.asked();
    restart();
    const failed = await site.untilStatus(
      'the question failed',
      (s) => (timestampStage(s)?.failures_in_a_row ?? 0) > 0,
    );
    expect(timestampStage(failed)?.last_error?.code).toBe('timestamp_refused');
    expect(timestampStage(failed)?.next_in_s).toBeLessThanOrEqual(3_960);
    const stored = failed.log?.size ?? 0;
    const later = await site.untilStatus(
      'evidence goes on being stored and witnessed',
      (s) => (s.stored_size ?? 0) > stored && (s.witnessed?.size ?? 0) > stored,
    );
    expect([later.blocking_reason, later.timestamped]).toEqual([null, null]);
    expect(later.stages.filter((stage) => stage.last_error !== null).map(({ name }) => name)).toEqual(['timestamp']);
    const reason = `code=timestamp_refused reason="the timestamp authority gave no timestamp: it cannot be reached (ECONNRESET)" place=${tsa.url}`;
    expect(logged('stage failed')).toEqual([expect.stringContaining(`stage=timestamp ${reason}`)]);
    expect([tsa.asked() - askedBefore, await transmissions()]).toEqual([1, []]);
  });

  it('keeps the timestamp, records it, exports it, and is believed by who trusts the authority', async () => {
    await site.endAgent('SIGTERM');
    restart();
    const { timestamped } = await site.untilStatus('it is timestamped', (status) => status.timestamped !== null);
    const size = timestamped?.size ?? 0;
    expect(logged('checkpoint timestamped')).toEqual([expect.stringContaining(` size=${size} `)]);
    expect(await transmissions()).toHaveLength(1);
    const out = join(site.paths.state, '..', 'bundle');
    await json('evidence', 'export', '--out', out);
    const ranges = { ranges: [{ from_seq: 0, to_seq: size, range: 'witnessed>=2', by: ['witness', 'timestamp'] }] };
    const trusting = ['evidence', 'verify', out, '--root-sha256', site.rootDigest()];
    const verdict = (await json(...trusting, '--tsa-ca', tsa.caFile)) as { ranges: unknown[] };
    expect({ ...verdict, ranges: verdict.ranges.slice(0, 1) }).toMatchObject({
      verdict: 'verified',
      timestamps: 1,
      ...ranges,
    });
    const said = (await json('status')) as { ranges: unknown[] };
    expect(said.ranges.slice(0, 1)).toEqual(ranges.ranges);
    expect((await site.cli('status')).output).toContain(
      `witnessed≥2 (operator, timestamp authority) up to ${size} entries`,
    );
  });

  it('knows after a restart what was stamped before, does not ask again, and believes no stranger', async () => {
    const asked = tsa.asked();
    await site.endAgent('SIGTERM');
    restart();
    const again = await site.untilStatus('it knows of the timestamp', (status) => status.timestamped !== null);
    expect([tsa.asked(), again.stages.filter((stage) => stage.last_error !== null)]).toEqual([asked, []]);
    await site.endAgent('SIGTERM');
    const config = readFileSync(site.paths.config, 'utf8');
    writeFileSync(site.paths.config, config.replace(tsa.caFile, tsa.strangerFile));
    restart();
    const strange = await site.untilStatus(
      'the stage has run',
      (status) => typeof timestampStage(status)?.last_finished_at === 'number',
    );
    expect([strange.timestamped, timestampStage(strange)?.last_error, tsa.asked()]).toEqual([null, null, asked]);
    expect((await site.cli('status')).output).not.toContain('witnessed≥2');
  });
});

/** As somebody would who changed a file and can count. */
function rewriteManifest(out: string): void {
  const names = readFileSync(join(out, 'MANIFEST'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((row) => row.slice(66));
  const { stdout } = spawnSync('sha256sum', names, { cwd: out, encoding: 'utf8' });
  writeFileSync(join(out, 'MANIFEST'), stdout);
}
