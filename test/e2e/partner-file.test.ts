// partner.json from Central Command's own data: drafted, signed by two people, written, read by an installer.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPartnerFile } from '../../agent/trust/partner-file.ts';
import { provisionTexts } from '../../iso/installer/provision-texts.ts';
import { makeCentral, run, type CliResult, type TestCentral } from '../support/central-process.ts';
import { RECIPIENT } from '../support/partner-fixtures.ts';

const URL = 'https://central.example:8443';
const codeOf = (result: CliResult): string => (JSON.parse(result.stderr) as { code: string }).code;

describe('central-command partner', () => {
  let central: TestCentral;
  const at = (name: string): string => join(central.dir, name);
  const draft = (out: string, ...more: string[]) => {
    const names = ['--product', 'Watch', '--support', 'call us'];
    return central.cli('partner', 'draft', '--json', '--recipient', RECIPIENT, ...names, '--out', at(out), ...more);
  };
  const sign = (file: string, person: string) =>
    run(['partner', 'sign', at(file), '--keys', central.keysDir, '--person', person, '--yes', '--json']);
  const write = (file: string, out: string) => central.cli('partner', 'write', at(file), '--out', at(out), '--json');

  beforeAll(async () => {
    central = await makeCentral({ persons: ['jane', 'bob'] });
  });
  afterAll(() => central.remove());

  it('writes what two people signed, and an installer lays down the same files as a stick', async () => {
    expect((await draft('draft', '--url', URL, '--disk', 'nvme0n1')).code).toBe(0);
    await sign('draft', 'jane');
    expect(codeOf(await write('draft', 'partner.json'))).toBe('threshold_not_met');
    expect(existsSync(at('partner.json'))).toBe(false);
    expect((await sign('draft', 'bob')).code).toBe(0);
    expect((await write('draft', 'partner.json')).code).toBe(0);

    const opened = openPartnerFile(readFileSync(at('partner.json'), 'utf8'), {
      rootSha256: central.root.digest,
      place: 'partner.json',
    });
    expect(opened.persons).toEqual(['bob', 'jane']);
    expect(opened.partner).toMatchObject({
      central_url: URL,
      ca_pins: central.caPins,
      recovery_recipients: [RECIPIENT],
      install: { disk: 'nvme0n1' },
    });
    mkdirSync(at('stick'));
    await central.json('usb', 'write', at('stick'), '--no-token', '--url', URL);
    const stick = Object.fromEntries(
      ['clinic.yaml', 'root.json', 'ca.pem'].map((name) => [name, readFileSync(join(at('stick'), name), 'utf8')]),
    );
    const laid = provisionTexts(opened);
    const withoutComment = (text: string | undefined): string => (text ?? '').replace(/^#.*\n/, '');
    expect(Object.keys(laid).toSorted()).toEqual(Object.keys(stick).toSorted());
    for (const [name, text] of Object.entries(stick))
      expect(withoutComment(laid[name]), name).toBe(withoutComment(text));
  });

  it('counts versions, overwrites nothing, and knows what it cannot know', async () => {
    expect((await draft('second', '--url', URL)).stdout).toContain('"version":2');
    expect(codeOf(await draft('second', '--url', URL))).toBe('draft_unwritable');
    expect(codeOf(await draft('third'))).toBe('central_url_unknown');
    writeFileSync(at('taken.json'), 'mine');
    await sign('second', 'jane');
    await sign('second', 'bob');
    expect(codeOf(await write('second', 'taken.json'))).toBe('draft_unwritable');
    expect(readFileSync(at('taken.json'), 'utf8')).toBe('mine');
  });

  it.each([
    ['a recipient that is none', ['--url', URL, '--recipient', 'ssh-ed25519']],
    ['a path for a disk', ['--url', URL, '--disk', '/dev/sda']],
  ])('refuses %s before anybody signs', async (_what, options) => {
    expect(codeOf(await draft('refused', ...options))).toBe('usage');
    expect(existsSync(at('refused'))).toBe(false);
  });
});
