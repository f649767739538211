// Refusals of Central Command that no other file asks for, each by its code.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCentral, run, type CliResult, type TestCentral } from '../support/central-process.ts';
import { checkIn, enrolDevice, evidenceLines, postEvidence, send } from '../support/device.ts';

const codeOf = (result: CliResult): string => (JSON.parse(result.stderr) as { code: string }).code;

describe('what Central Command does not do', () => {
  let central: TestCentral;
  beforeAll(async () => {
    central = await makeCentral();
  });
  afterAll(async () => central.remove());

  it('works in no folder that init did not make', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'central-none-'));
    mkdirSync(join(dir, 'empty'), { mode: 0o700 });
    for (const data of ['empty', 'absent']) {
      const result = await run(['site', 'list', '--data', join(dir, data), '--json']);
      expect([result.code, codeOf(result)]).toEqual([2, 'central_missing']);
    }
    rmSync(dir, { recursive: true });
  });

  it('gives a site to no second customer, and takes the same words again', async () => {
    await central.json('site', 'add', 'north', '--customer', 'clinic');
    const other = await central.cli('site', 'add', 'north', '--customer', 'another-clinic', '--json');
    expect([other.code, codeOf(other)]).toEqual([2, 'site_exists']);
    const { sites } = await central.json<{ sites: object[] }>('site', 'list');
    expect(sites).toMatchObject([{ site_id: 'north', customer_id: 'clinic' }]);
  });

  it('writes no stick before it knows its own address', async () => {
    const stick = join(central.dir, 'stick');
    const early = await central.cli('usb', 'write', stick, '--site', 'north', '--json');
    expect([early.code, codeOf(early)]).toEqual([2, 'central_url_unknown']);
    await central.json('usb', 'write', stick, '--site', 'north', '--url', 'https://central.acme.example:8443');
  });

  it('answers an unknown address with route_unknown', async () => {
    const server = await central.serve();
    const { url } = server;
    for (const path of ['/', '/api/v1/appliances', '/api/v2/enrolments', '/api/v1/enrolments/']) {
      const answer = await send(central, url, path, { method: 'GET' });
      expect([path, answer.status, answer.code]).toEqual([path, 404, 'route_unknown']);
    }
    await server.stop();
  });

  it('asks for two persons, and with --direct for one where content is concerned', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'central-direct-'));
    const thresholds = async (name: string, ...more: string[]): Promise<unknown> => {
      const folders = ['--data', join(dir, `${name}-data`), '--keys', join(dir, `${name}-keys`)];
      const persons = ['--person', 'Jane', '--person', 'Bob'];
      const { stdout } = await run(['init', ...folders, '--partner', 'acme', ...persons, '--json', ...more]);
      return (JSON.parse(stdout) as { thresholds: unknown }).thresholds;
    };
    expect(await thresholds('reseller')).toEqual({ root: 2, content: 2, operator: 2 });
    expect(await thresholds('direct', '--direct')).toEqual({ root: 2, content: 1, operator: 2 });
    rmSync(dir, { recursive: true });
  });

  it('lets no flood of uploads use up what check-ins may', async () => {
    const { url } = await central.serve();
    const me = await enrolDevice(central, url, 'north-1');
    const lines = evidenceLines(me, 1);
    let limited = false;
    for (let i = 0; i < 400 && !limited; i += 1) {
      const { status, code } = await postEvidence(central, url, me, 0, lines);
      limited = code === 'rate_limited';
      expect(status).toBe(limited ? 429 : 200);
    }
    expect(limited).toBe(true);
    expect((await checkIn(central, url, me)).appliance_id).toBe('north-1');
  });
});
